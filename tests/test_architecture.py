"""The rules of the architecture, each checked."""

import ast
import subprocess
import sys
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("recommender", "evaluators", "catalog", "cache")
SEAMS = ("sources", "tasks", "metrics", "backends", "recipes", "reports")

HOMES = {
    "optuna": {"recommender/search"},
    "sqlalchemy": {"recommender/search"},
    "click": {"recommender/cli"},
    "tqdm": {"recommender/progress.py"},
    "evaluate": {"evaluators/quality/metrics.py"},
    "datasets": {
        "evaluators/quality/metrics.py",
        "evaluators/reading/hub.py",
        "evaluators/reading/hub_parquet.py",
    },
    "sklearn": {"evaluators/quality/metrics.py"},
    "huggingface_hub": {
        "catalog/sources",
        "evaluators/reading/hub.py",
        "recommender/cli/doctor.py",
        "recommender/reports/card.py",
    },
    "sqlite_utils": {"cache/database.py"},
    "scipy": {"evaluators/quality", "evaluators/labelling"},
    "openpyxl": {"evaluators/reading/excel.py"},
    "py3langid": {"evaluators/reading/profile.py"},
    "soundfile": {"evaluators/media.py", "evaluators/reading"},
    "openvino": {"evaluators/backends/openvino.py", "evaluators/recipes"},
    "matplotlib": {"recommender/reports"},
    "nncf": {"evaluators/recipes"},
    "starlette": {"recommender/reports/site.py"},
    "uvicorn": {"recommender/cli/serve.py"},
    "onnxruntime": {
        "evaluators/backends/onnxruntime.py",
        "evaluators/recipes",
        "evaluators/graph.py",
    },
}
"""Where each heavy library may be imported: files, or folders with all that is in them."""

HEAVY = (
    "torch", "transformers", "evaluate", "datasets", "optuna", "sqlite_utils", "huggingface_hub",
    "matplotlib",
)  # fmt: skip


def sources() -> list[Path]:
    return [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]


@cache
def imported(file: Path) -> set[str]:
    """The modules that a file imports, at its top or inside, type checking aside."""
    tree = ast.parse(file.read_text("utf-8"))
    skipped = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in ast.walk(block)
    }
    found = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_one_way(package: str) -> None:
    """A package imports only itself and those to its right."""
    allowed = set(PACKAGES[PACKAGES.index(package) :])
    for file in (ROOT / package).rglob("*.py"):
        ours = {name.split(".")[0] for name in imported(file)} & set(PACKAGES)
        assert ours <= allowed, f"{file.relative_to(ROOT)} imports {ours - allowed}"


@pytest.mark.parametrize("library", sorted(HOMES))
def test_each_heavy_library_has_one_home(library: str) -> None:
    """A library is imported in its home only."""
    for file in sources():
        place = file.relative_to(ROOT).as_posix()
        at_home = any(place == home or place.startswith(f"{home}/") for home in HOMES[library])
        uses = library in {name.split(".")[0] for name in imported(file)}
        assert at_home or not uses, f"{place} imports {library}"


@pytest.mark.parametrize("statement", ["import recommender", "import recommender.cli.find"])
def test_starting_loads_no_heavy_library(statement: str) -> None:
    """`import recommender` and the command line's help load none of the heavy libraries."""
    code = f"{statement}; import sys; print([n for n in {HEAVY!r} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("seam", SEAMS)
def test_every_plugin_can_be_loaded(seam: str) -> None:
    """Each entry-point line leads to something."""
    points = entry_points(group=f"recommender.{seam}")
    assert points
    for point in points:
        assert point.load() is not None


def test_no_public_function_carries_the_name_of_its_module() -> None:
    """A lazy facade breaks on a function named as its module."""
    for file in (ROOT / "recommender").glob("*.py"):
        tree = ast.parse(file.read_text("utf-8"))
        names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert file.stem not in names, f"{file.name} defines {file.stem}()"


def test_a_neighbour_with_a_generic_name_is_told(tmp_path: Path) -> None:
    """A file called cache.py in the way is named, instead of a puzzling error."""
    (tmp_path / "cache.py").write_text("", "utf-8")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import recommender"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "cache.py; rename or move that file" in done.stderr
