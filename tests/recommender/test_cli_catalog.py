"""`recommender catalog` as a user meets it: filters, tables, files, and one line for bad input."""

import csv
import fcntl
import io
import json
import os
import pty
import shutil
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import snapshot_download

from cache.errors import BadInput
from catalog.crawl import CrawlProgress
from catalog.model import Model
from catalog.policy import Refusal
from catalog.store import Catalog
from catalog.synthetic import SyntheticHub
from catalog.testing import LoopbackHub
from evaluators.testing import WORDS, make_bert
from recommender.amounts import in_short, parse_bytes, parse_count
from recommender.cli.catalog_table import table
from recommender.cli.crawl_progress import CrawlShown
from recommender.reports.widths import columns

Run = Callable[..., tuple[int, str, str]]

TASK = "text-classification"


def make(number: int, **values: Any) -> Model:
    """A listed model; the more downloaded, the higher its number."""
    given = {"id": f"demo/m{number}", "revision": f"{number:040x}", "source": "hub", "task": TASK,
             "downloads": number, "described": False} | values  # fmt: skip
    return Model(**given)


MODELS = (
    make(1, languages=("de",), license="mit", labels=("negative", "positive"), described=True,
         parameters={"F32": 10_000_000}),
    make(2, languages=("en",), license="apache-2.0", parameters={"F32": 100_000_000},
         base_models=("demo/m1",), datasets=("imdb",)),
    make(3, license="mit", library="transformers", gated=True, likes=7,
         tags=("financial", "news"), last_modified="2026-03-01T00:00:00.000Z"),
    make(4, task="translation", labels=("=cmd|' /C calc'!A0", "\x1b[31mred"), described=True,
         license=None),
)  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home whose catalog holds MODELS and two rows that could not be read."""
    with Catalog(tmp_path / "catalog.db") as store:
        store.upsert(MODELS)
        store.refuse("hub", [Refusal("demo/x", "corrupt", "tags is \x1b[31m no list")])
        store.refuse("hub", [Refusal("demo/y", "corrupt", "?")])
    return tmp_path


@pytest.fixture
def run(run_command: Run, home: Path) -> Run:
    """Runs `recommender catalog ARGS`; gives the exit code, stdout and stderr."""
    return partial(run_command, "catalog", home=home)


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ("--task translation", "4"),
        ("--language de,fr", "1"),
        ("--license apache-2.0,mit", "3 2 1"),
        ("--license apache-2.0 --license mit --limit 1 --offset 1", "2"),
        ("--max-size 50MB", "1"),
        ("--max-size 1GB --min-parameters 50M", "2"),
        ("--max-parameters 10_000_000", "1"),
        ("--labels Positive,NEGATIVE", "1"),
        ("--labels positive,negative --label-match exact", "1"),
        ("--labels Positive --label-match exact", ""),
        ("--search 'financial news'", "3"),
        ("--search 'x\" OR 1' ", ""),
        ("--derived-from demo/m1", "2"),
        ("--trained-on imdb", "2"),
        ("--author demo,ant --limit 1", "4"),
        ("--author ant", ""),
        ("--library transformers", "3"),
        ("--gated", "3"),
        ("--no-gated --task text-classification", "2 1"),
        ("--since 2026-02-28", "3"),
        ("--sort likes --limit 1", "3"),
        ("--sort id", "1 2 3 4"),
        ("--source folder:/nowhere", ""),
    ],
)
def test_a_listing_is_filtered(run: Run, arguments: str, found: str) -> None:
    """Each option narrows the list, and the same models come in the order that is asked."""
    import shlex

    code, out, _ = run("list", *shlex.split(arguments), "--format", "json")
    assert code == 0
    assert [row["id"] for row in json.loads(out)] == [f"demo/m{n}" for n in found.split()]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("list", "--max-size", "100"), "write for example 100MB"),
        (("list", "--max-size", "ten MB"), "write for example 100MB"),
        (("list", "--min-parameters", "10MB"), "write for example 66M"),
        (("list", "--since", "yesterday"), "2026-01-31"),
        (("list", "--sort", "beauty"), "downloads"),
        (("list", "--labels", "a", "--label-match", "fuzzy"), "superset"),
        (("list", "--weights", "gif"), "safetensors"),
        (("list", "--labels", 'a,"b'), "is no list of names"),
        (("show", "demo/m11"), "demo/m1"),
        (("crawl", "--all", "--limit", "3"), "exclude each other"),
        (("crawl", "--time-limit", "0"), "must be more than 0"),
        (("import", "nothing.gz"), "catalog export"),
        (("import", __file__), "is no whole exported catalog"),
        (("export", "/nowhere/at/all.gz"), "cannot write"),
    ],
    ids=lambda value: " ".join(value[:3]) if isinstance(value, tuple) else "",
)
def test_bad_input_is_one_line(run: Run, arguments: tuple[str, ...], told: str) -> None:
    """Exit code 2, what was given, and what is allowed."""
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert told in err


def test_the_table_says_what_is_below_and_what_is_not_known(run: Run) -> None:
    """How many match, how many are shown, and how many have labels that nobody asked for yet."""
    _, out, _ = run("list", "--limit", "3")
    lines = out.splitlines()
    assert lines[0].split() == ["model", "params", "size_mb", "downl.", "licence", "labels"]
    assert lines[1].startswith("demo/m4")
    assert "\x1b" not in out
    assert lines[-1] == "4 models match, 3 shown; labels not known yet: 2"
    assert "none of 4 models matches" in run("list", "--task", "nothing")[1]


def test_csv_is_safe_for_a_spreadsheet(run: Run) -> None:
    """A label that is a formula comes with a quote, and control characters not at all."""
    rows = list(csv.DictReader(io.StringIO(run("list", "--format", "csv")[1])))
    assert [row["id"] for row in rows] == ["demo/m4", "demo/m3", "demo/m2", "demo/m1"]
    assert rows[0]["labels"] == "'=cmd|' /C calc'!A0;[31mred"
    assert (rows[3]["size_mb"], rows[3]["n_parameters"]) == ("40.0", "10000000")


@pytest.mark.parametrize("width", [80, 100, 160])
def test_a_table_fits_its_terminal(width: int) -> None:
    """Ids are cut in the middle, labels at the end; wide letters count twice."""
    long = make(1, id="organisation/" + "base-" * 20 + "v2", labels=("很好的标签",) * 9)
    lines = table([long, *MODELS], width)
    assert max(map(columns, lines)) <= width
    assert "organisation/" in lines[1]
    assert "v2 " in lines[1]
    assert ".." in lines[1]
    assert lines[2].split()[:2] == ["demo/m1", "10.0M"]
    assert long.id in table([long], None)[1]
    assert "\x1b" not in "".join(table(MODELS, width))
    assert [columns(text) for text in ("ab", "很好", "e\u0301")] == [2, 4, 1]


def test_a_real_terminal_of_80_columns_is_enough(run: Run, home: Path) -> None:
    """No line is longer than the terminal, and none is shortened where the output is a file."""
    long = make(9, id="organisation/" + "very-long-name-" * 6 + "v2")
    with Catalog(home / "catalog.db") as store:
        store.upsert([long])
    assert long.id in run("list")[1]
    shown, code = _on_a_terminal(home, "catalog", "list", columns=80)
    assert code == 0
    assert len(shown) == 7
    assert max(map(len, shown)) <= 80
    assert shown[1].startswith("organisation/")


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [("100MB", 10**8), ("1.5 gb", 15 * 10**8), ("200MiB", 200 * 2**20), ("1,000kB", 10**6)],
)
def test_sizes_have_units(text: str, n_bytes: int) -> None:
    """Powers of ten and of two, however they are written."""
    assert parse_bytes(text) == n_bytes


def test_numbers_are_short_and_read_back() -> None:
    """Three digits and a letter; signs, infinities and other letters are no amount."""
    numbers = (None, 0, 999, 1000, 66_362_880, 999_950, 7e9, 671e9)
    short = ["-", "0", "999", "1.00k", "66.4M", "1.00M", "7.00B", "671B"]
    assert [in_short(n) for n in numbers] == short
    assert (parse_count("1.5B"), parse_count("66m")) == (15 * 10**8, 66 * 10**6)
    for bad in ("", "-1M", "inf", "1e6", "M", "1.M", "１M"):
        with pytest.raises(BadInput):
            parse_count(bad)


def test_what_could_not_be_read_is_shown(run: Run) -> None:
    """Each row with its reason, and how many there are in all."""
    _, out, _ = run("refused", "--limit", "1")
    assert out.splitlines() == ["demo/x: corrupt: tags is [31m no list", "2 refused: 2 corrupt"]
    assert len(json.loads(run("refused", "--format", "json")[1])) == 2


def test_export_and_import_carry_a_catalog(run: Run, home: Path) -> None:
    """What was written in one home is listed in another, and a selection is only that."""
    other, file = home / "other", home / "mit.gz"
    told = run("export", file, "--license", "mit")[1].splitlines()
    assert told[0].startswith(f"wrote 2 models to {file} (0.0")
    assert told[1].startswith("1 of them can be run without network")
    _, out, _ = run("import", file, home=other)
    assert out.startswith("2 models from 20")
    assert [row["id"] for row in json.loads(run("list", "--format", "json", home=other)[1])] == [
        "demo/m3",
        "demo/m1",
    ]


def test_a_replaced_snapshot_is_listed_as_it_is_now(run: Run, home: Path) -> None:
    """It is read by `catalog list` itself, once; where it is lost, what was read is listed."""
    other, file = home / "other", home / "all.gz"
    listing = ("list", "--source", f"snapshot:{file}", "--format", "json")
    for license, more, found, said in (
        ("mit", (), [3, 1], 1),
        ("apache-2.0", ("--task", TASK), [2], 1),
        ("", (), [2], 0),
    ):
        if license:
            run("export", file, "--license", license)
        _, out, err = run(*listing, *more, home=other)
        assert [row["id"] for row in json.loads(out)] == [f"demo/m{n}" for n in found]
        assert err.count(f"reading {file}") == said
    file.unlink()
    assert len(json.loads(run(*listing, home=other)[1])) == 1
    assert "catalog export" in run(*listing, home=home / "third")[2]


def test_listing_loads_no_heavy_library(home: Path) -> None:
    """`catalog list` answers from SQLite alone."""
    heavy = ("torch", "transformers", "huggingface_hub", "sqlite_utils", "optuna", "datasets")
    code = (
        "import sys; sys.argv = ['recommender', 'catalog', 'list']\n"
        "from recommender.cli import main\n"
        "try: main()\n"
        f"finally: print([name for name in {heavy!r} if name in sys.modules])"
    )
    environment = os.environ | {"RECOMMENDER_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_what_one_machine_crawled_another_answers_without_network(tmp_path: Path) -> None:
    """Crawl, plan and export here; import elsewhere, copy the Hub's cache, list and find there."""
    make_bert(tmp_path / "zoo" / "demo" / "tiny")
    data = tmp_path / "rows.csv"
    data.write_text("text,label\n" + "".join(f"{_sentence(n)},{_label(n)}\n" for n in range(24)))
    search = ("find", data, "-r", "accuracy >= 0.01", "--backend", "torch", "-q")
    here, there, file = tmp_path / "here", tmp_path / "there", tmp_path / "all.gz"
    with LoopbackHub(tmp_path / "zoo") as hub:
        ours = _environment(here, HF_ENDPOINT=hub.endpoint)
        crawled = _recommender(ours, "catalog", "crawl", "--all", "--progress", "json")
        assert ", 0 refused" in crawled.stdout
        told = [json.loads(line) for line in crawled.stderr.splitlines()]
        assert (told[0]["n_models"], told[-1]["is_resumed"]) == (1, False)
        _recommender(ours, *search, "--dry-run")  # which asks for the details
        _recommender(ours, "catalog", "export", file)
        snapshot_download("demo/tiny", endpoint=hub.endpoint, cache_dir=here / "hf" / "hub")
        n_asked = len(hub.requests)
    shutil.copytree(here / "hf", there / "hf", symlinks=True)
    theirs = _environment(there, HF_ENDPOINT=hub.endpoint, HF_HUB_OFFLINE="1")
    assert _recommender(theirs, "catalog", "import", file).stdout.startswith("1 models from ")
    assert "demo/tiny" in _recommender(theirs, "catalog", "list").stdout
    assert _recommender(theirs, *search).stdout.startswith("demo/tiny@")
    assert len(hub.requests) == n_asked


def test_a_crawl_says_what_it_leaves_open(run: Run, tmp_path: Path) -> None:
    """Too little time; only changes, which tell of nothing deleted; and numbers in words."""
    with SyntheticHub(1, page_size=1) as small, SyntheticHub(40, page_size=10) as large:
        crawl = ("crawl", "--all", "--task", "all", "--source")
        _, out, _ = run(*crawl, f"hub:{large.endpoint}", "--time-limit", "0.001")
        assert out.endswith(
            ": 10 models, 0 refused, not yet at the end: run the same command to go on\n"
        )
        assert run(*crawl, f"hub:{small.endpoint}")[1].endswith(": 1 model, 0 refused\n")
        _, out, err = run(*crawl, f"hub:{small.endpoint}")
    assert "changes only: what was deleted is seen with --fresh, last done 20" in out
    assert out.count("\n") == 1
    assert ": 1 model, 1 request, " in err


def _sentence(number: int) -> str:
    words = [word for word in WORDS if word.isalpha()]
    return " ".join(words[(number * step) % len(words)] for step in (1, 3, 7, 11))


def _label(number: int) -> str:
    return ("negative", "positive")[number % 2]


def _environment(home: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "RECOMMENDER_HOME": str(home), "HF_HOME": str(home / "hf"), **more}


def _recommender(
    environment: dict[str, str], *arguments: object
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "recommender", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done


def test_progress_is_told_to_people_and_to_programs() -> None:
    """One short line on a terminal, one JSON object a page for programs, nothing where quiet."""
    source = "hub:https://hub.example.org:8080 text-classification"
    told = CrawlProgress(
        n_models=12_400, n_refused=3, n_requests=124, rate_per_s=410.2, elapsed_s=30.0,
        left_s=3_900.0, cursor="abc", is_resumed=True, since=None,
    )  # fmt: skip
    shown = {form: io.StringIO() for form in ("text", "json", "none")}
    for form, stream in shown.items():
        show = CrawlShown(form, stream=stream)
        show.begin(source)
        show(told)
        show(told)
        show.close()
    assert shown["text"].getvalue().splitlines() == [
        "hub:https:/..ssification: 12,400 models, 3 refused, 124 requests, 410 models/s, "
        "about 65 min left"
    ]
    lines = [json.loads(line) for line in shown["json"].getvalue().splitlines()]
    assert len(lines) == 2
    assert (lines[0]["crawl"], lines[0]["n_models"]) == (source, 12_400)
    assert shown["none"].getvalue() == ""


def _on_a_terminal(home: Path, *arguments: str, columns: int) -> tuple[list[str], int]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    process = subprocess.Popen(
        [sys.executable, "-m", "recommender", *arguments],
        stdin=theirs, stdout=theirs, env=environment | {"RECOMMENDER_HOME": str(home)},
    )  # fmt: skip
    os.close(theirs)
    with os.fdopen(ours, "rb", buffering=0) as screen:
        shown = b"".join(_until_closed(screen))
    return shown.decode().splitlines(), process.wait()


def _until_closed(screen: Any) -> Iterator[bytes]:
    while True:
        try:
            part = screen.read(4096)
        except OSError:  # Linux's word for a terminal whose other end is closed
            return
        if not part:
            return
        yield part
