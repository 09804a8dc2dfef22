"""What is turned down before any byte is downloaded, in what state and in what words."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from catalog.exported import export_catalog
from catalog.model import File, Model
from catalog.policy import Refusal
from catalog.store import Catalog
from catalog.testing import LoopbackHub
from evaluators.candidate import Candidate
from evaluators.plugins import recipe_methods
from recommender import plan
from recommender.evidence.weights import Metadata, merged, weights
from recommender.gates import NVIDIA, Gates, to_download_mb
from recommender.query import Query
from recommender.room import Room, read_memory
from recommender.space import Pool, affordable, declare_pool

LABELS = ("negative", "positive")
MODEL = Model(
    "demo/ant",
    "a" * 40,
    "hub",
    task="text-classification",
    parameters={"F32": 20_000_000},
    files=(
        File("config.json", 1_000, None, "c" * 40),
        File("model.safetensors", 80_000_000, "0" * 64),
        File("vocab.txt", 200_000, None, "b" * 40),
    ),
    model_type="bert",
    labels=LABELS,
    n_layers=6,
    license="mit",
    downloads=1000,
    security="safe",
)
ASKED = Query.parse("accuracy >= 0.8", backends=("torch",))


def pool_of(*models: Model, query: Query = ASKED, gates: Gates | None = None, **more: Any) -> Pool:
    gates = gates or Gates()
    declared = declare_pool(models, recipe_methods(), query, labels=LABELS, gates=gates, **more)
    return affordable(declared, gates)[0]


def left_out(pool: Pool) -> list[tuple[str, str]]:
    return [(str(out.state), out.reason) for out in pool.left_out]


def another(id: str, **changes: Any) -> Model:
    """A model with weights of its own."""
    files = (*MODEL.files[::2], File("model.safetensors", 80_000_000, digest(id)))
    return replace(MODEL, id=id, **{"files": files, **changes})


def digest(text: str) -> str:
    return text.encode().hex().ljust(64, "0")[:64]


def files(*paths: str) -> tuple[File, ...]:
    return tuple(File(path, 1) for path in paths)


BARRED: Mapping[str, tuple[dict[str, Any], str, str]] = {
    "gated": ({"gated": True}, "gated", "access is asked for"),
    "disabled": ({"disabled": True}, "disabled", "shut"),
    "scan": ({"security": "1 file is malware"}, "flagged unsafe", "1 file is malware"),
    "remote code": ({"has_remote_code": True}, "remote code", "not run"),
    "pickle": ({"files": files("pytorch_model.bin", "vocab.txt")}, "unsafe format", "a pickle"),
    "gguf": ({"files": files("ant.gguf", "vocab.txt")}, "unsupported", "GGUF"),
    "gptq": ({"quantization": "gptq"}, "unsupported", "gptq, which no recipe serves; .* gptqmodel"),
    "bitsandbytes": ({"quantization": "bitsandbytes"}, "unsupported", "lacks .*bitsandbytes"),
    "awq": ({"quantization": "awq"}, "unsupported", "quantised as awq"),
    "mxfp4": ({"quantization": "mxfp4"}, "unsupported", "quantised as mxfp4"),
    "a new one": ({"quantization": "q2027"}, "unsupported", "quantised as q2027"),
    "task": ({"task": "fill-mask"}, "unsupported", "its task is fill-mask"),
    "labels": ({"labels": ("sports", "politics", "art")}, "label mismatch", ""),
}


@pytest.mark.parametrize(("changes", "state", "reason"), BARRED.values(), ids=BARRED.keys())
def test_a_model_is_barred_with_its_reason(
    changes: dict[str, Any], state: str, reason: str
) -> None:
    """It ends in a named state, and no candidate of it is in the pool."""
    assert len(pool_of(MODEL)) > 0
    pool = pool_of(replace(MODEL, **changes))
    assert len(pool) == 0
    ((found, why),) = left_out(pool)
    assert found == state
    assert re.search(reason, why), why


@pytest.mark.skipif(NVIDIA.is_file(), reason="there is CUDA here")
def test_a_format_for_cuda_names_what_is_lacking() -> None:
    """fp8 needs a GPU."""
    ((_, why),) = left_out(pool_of(replace(MODEL, quantization="fbgemm_fp8")))
    assert "this machine lacks CUDA" in why


# ---------------------------------------------------------------------- licences
@pytest.mark.parametrize(
    ("license", "require", "options", "passes"),
    [
        ("mit", "license in mit", {}, True),
        ("Apache License 2.0", "license in {apache-2.0, mit}", {}, True),
        ("cc-by-nc-4.0", "license in mit", {}, False),
        (None, "license in mit", {}, False),
        (None, "license in mit", {"allow_unknown_license": True}, True),
        ("other", "license in mit", {"allow_unknown_license": True}, True),
        ("cc-by-nc-4.0", "license in mit", {"allow_unknown_license": True}, False),
        (None, None, {}, True),
        ("cc-by-nc-4.0", None, {}, True),
        ("mit", None, {"commercial": True}, True),
        ("cc-by-nc-4.0", None, {"commercial": True}, False),
        ("llama3", None, {"commercial": True}, False),
        ("llama3", "license in llama3, mit", {"commercial": True}, True),
        (None, None, {"commercial": True}, False),
        (None, None, {"commercial": True, "allow_unknown_license": True}, True),
    ],
)
def test_licences_pass_or_not(
    license: str | None, require: str | None, options: dict[str, Any], passes: bool
) -> None:
    """A list, commercial use, and what is not known; without a wish all pass."""
    asked = ["accuracy >= 0.8", *([require] if require else [])]
    pool = pool_of(replace(MODEL, license=license), query=Query.parse(asked, **options))
    assert (len(pool) > 0) is passes
    assert all("licence" in why and state == "over a limit" for state, why in left_out(pool))


def test_a_base_model_may_forbid_what_its_copy_allows() -> None:
    """The chain is in the reason; without the wish the model is a candidate."""
    root = replace(MODEL, id="lab/root", license="cc-by-nc-4.0")
    child = replace(MODEL, base_models=("lab/root",))
    gates = Gates(lookup={"lab/root": root}.get)
    ((state, why),) = left_out(pool_of(child, query=replace(ASKED, commercial=True), gates=gates))
    assert (state, why) == (
        "over a limit",
        "its licence is mit, but demo/ant <- lab/root is cc-by-nc-4.0 (non-commercial)",
    )
    assert len(pool_of(child, gates=gates)) > 0


# ---------------------------------------------------------------------- this machine, the budgets
def test_a_candidate_that_the_memory_cannot_hold_is_barred() -> None:
    """The prediction and the machine's memory are told; a larger machine takes it."""
    huge = replace(MODEL, parameters={"F32": 2_000_000_000})
    pool = pool_of(huge, gates=Gates(Room(memory_mb=4_000.0)))
    assert len(pool) == 0
    assert all(
        state == "over a limit" and "MB of memory; of this machine's 4,000 MB, 3,200 MB" in why
        for state, why in left_out(pool)
    )
    assert len(pool_of(huge, gates=Gates(Room(memory_mb=100_000.0)))) > 0


@pytest.mark.parametrize(
    ("gates", "state", "reason"),
    [
        (Gates(max_download_mb=50.0), "skipped by budget", "--max-download 50 MB"),
        (Gates(disk_budget_mb=50.0), "over a limit", "the disk budget is 50 MB"),
        (Gates(Room(disk_free_mb=1_050.0)), "over a limit", "MB of disk, more than is free"),
    ],
    ids=["download", "disk budget", "free disk"],
)
def test_a_candidate_beyond_a_budget_is_barred(gates: Gates, state: str, reason: str) -> None:
    """All its recipes need the same weights; what is on the disk already needs none."""
    pool = pool_of(MODEL, gates=gates)
    assert len(pool) == 0
    assert {found for found, _ in left_out(pool)} == {state}
    assert all(reason in why for _, why in left_out(pool))
    assert len(pool_of(MODEL, gates=replace(gates, on_disk=lambda candidate: True))) > 0


def test_a_folder_needs_no_download() -> None:
    """Budgets for downloads and their disk are for what comes from a Hub."""
    local = replace(MODEL, source="folder:/models")
    pool = pool_of(local, gates=Gates(max_download_mb=1.0, disk_budget_mb=1.0))
    assert len(pool) > 0
    assert all(to_download_mb(candidate) == 0 for candidate in pool.candidates)


def test_memory_that_is_short_now_is_a_warning() -> None:
    """What is free changes from hour to hour: it keeps nobody out, and it is told."""
    gates = Gates(Room(memory_mb=100_000.0, available_mb=10.0))
    pool = pool_of(MODEL, gates=gates)
    assert len(pool) > 0
    (warning,) = gates.warnings(pool.models, pool.candidates)
    assert warning.startswith("memory is short at the moment: 10 MB are available")


def test_training_on_the_same_data_is_a_warning() -> None:
    """It keeps nobody out; the first three are named."""
    models = [replace(MODEL, id=f"demo/{i}", datasets=("sst2",)) for i in range(5)]
    (warning,) = Gates(own_data=frozenset({"stanfordnlp/sst2"})).warnings(models, ())
    assert "demo/0 (sst2), demo/1 (sst2), demo/2 (sst2) and 2 more" in warning
    assert Gates(own_data=frozenset({"reviews.csv"})).warnings(models, ()) == []


def test_a_card_that_lies_about_its_size_is_a_warning() -> None:
    """It is judged by what its files hold, and the reader learns of it (fault F10)."""
    (warning,) = Gates().warnings([replace(MODEL, told_parameters=333_312), MODEL], ())
    assert warning.endswith("for demo/ant (333,312 told, 20,000,000 found)")


def test_what_the_hub_did_not_scan_is_a_warning() -> None:
    """Not to know how the scan ended keeps nobody out, and is told by name; folders have none."""
    unknown = [replace(MODEL, id=f"demo/{i}", security=None) for i in range(4)]
    (warning,) = Gates().warnings([MODEL, *unknown, replace(unknown[0], source="folder:/x")], ())
    assert "not scanned by the Hub: demo/0, demo/1, demo/2 and 1 more (only" in warning
    (warning,) = Gates().warnings([replace(unknown[0], source="snapshot:/all.gz")], ())
    assert warning.startswith("not scanned by the Hub: demo/0 (")


# ---------------------------------------------------------------------- memory as Linux tells it
MEMINFO = "MemTotal:       8000000 kB\nMemAvailable:   4000000 kB\n"


def write_files(root: Path, contents: Mapping[str, str]) -> Path:
    for path, text in contents.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


@pytest.mark.parametrize(
    ("contents", "memory"),
    [
        ({}, (8192.0, 4096.0)),
        (
            {
                "proc/self/cgroup": "0::/app/worker\n",
                "sys/fs/cgroup/app/worker/memory.max": "max\n",
                "sys/fs/cgroup/app/memory.max": "2000000000\n",
                "sys/fs/cgroup/app/memory.current": "1500000000\n",
                "sys/fs/cgroup/app/memory.stat": "anon 1\ninactive_file 500000000\n",
            },
            (2000.0, 1000.0),
        ),
        (
            {
                "proc/self/cgroup": "5:cpu:/x\n4:memory:/docker/1\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "3000000000\n",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": "2900000000\n",
            },
            (3000.0, 100.0),
        ),
        (
            {
                "proc/self/cgroup": "4:memory:/x\n",
                "sys/fs/cgroup/memory/x/memory.limit_in_bytes": "9223372036854771712\n",
                "sys/fs/cgroup/memory/x/memory.usage_in_bytes": "1\n",
            },
            (8192.0, 4096.0),
        ),
    ],
    ids=["none", "version 2", "version 1", "no limit"],
)
def test_memory_is_the_least_that_a_limit_leaves(
    tmp_path: Path, contents: Mapping[str, str], memory: tuple[float, float]
) -> None:
    """A container's limit counts, also of a group around it; pages of files can be dropped."""
    root = write_files(tmp_path, {"proc/meminfo": MEMINFO, **contents})
    assert read_memory(root) == pytest.approx(memory)


def test_where_linux_tells_nothing_nothing_is_known(tmp_path: Path) -> None:
    """Other systems have no such files, and no gate there."""
    assert read_memory(tmp_path) == (None, None)
    assert len(pool_of(MODEL, gates=Gates(Room()))) > 0


# ---------------------------------------------------------------------- who gets a place
def admitted(pool: Pool) -> set[str]:
    return {model.id for model in pool.models}


def test_the_most_promising_models_get_the_places() -> None:
    """By the candidate score, not by downloads alone."""
    loud = another("demo/loud", downloads=50_000, model_type="x", labels=())
    apt = another("demo/apt", downloads=5_000, likes=500)
    pool = pool_of(loud, apt, query=replace(ASKED, max_candidates=1))
    assert admitted(pool) == {"demo/apt"}
    assert [(o.name, str(o.state)) for o in pool.left_out] == [(loud.name, "skipped by budget")]


def test_popularity_earned_on_the_same_data_gives_no_place() -> None:
    """Downloads of a model that names the rows' data set count as unknown."""
    own = another("demo/own", downloads=90_000_000, likes=90_000, datasets=("sst2",))
    other = another("demo/other", downloads=3_000_000, likes=300)
    one_place = replace(ASKED, max_candidates=1)
    gates = Gates(own_data=frozenset({"sst2"}))
    assert admitted(pool_of(own, other, query=one_place)) == {"demo/own"}
    assert admitted(pool_of(own, other, query=one_place, gates=gates)) == {"demo/other"}


def test_a_model_that_no_limit_lets_in_takes_no_place() -> None:
    """The next one gets it."""
    small = another("demo/small", parameters={"F32": 1_000_000}, files=(
        File("config.json", 1_000), File("model.safetensors", 4_000_000, "5" * 64),
        File("vocab.txt", 200_000),
    ), downloads=1)  # fmt: skip
    asked = Query.parse(["accuracy >= 0.8", "size_mb <= 10"], backends=("torch",), max_candidates=1)
    assert admitted(pool_of(MODEL, small, query=asked)) == {"demo/small"}


def listed(n: int) -> list[Model]:
    """Models as a listing tells them, the first the most downloaded."""
    return [
        Model(f"demo/m{i}", f"{i:040x}", "hub", task="text-classification", described=False,
              downloads=10**6 - i, gated=i == 0)
        for i in range(n)
    ]  # fmt: skip


def test_only_as_many_models_are_described_as_there_are_places() -> None:
    """What the listing bars is not asked about; a refusal makes place for the next one."""
    asked: list[str] = []

    def describe(models: Sequence[Model]) -> list[Model | Refusal]:
        asked.extend(model.id for model in models)
        return [
            Refusal(model.id, "corrupt", "its config.json is no JSON")
            if model.id == "demo/m1"
            else another(model.id, revision=model.revision)
            for model in models
        ]

    query = replace(ASKED, max_candidates=2)
    pool = pool_of(*listed(200), query=query, describe=describe)
    assert asked == ["demo/m1", "demo/m2", "demo/m3"]
    assert admitted(pool) == {"demo/m2", "demo/m3"}
    states = [str(out.state) for out in pool.left_out]
    assert states[:2] == ["gated", "corrupt"]
    assert pool.left_out[-1].name == "96 more models"
    assert len(states) == 2 + 100 + 1


def test_twins_are_one_candidate_and_the_other_is_named() -> None:
    """They take one place, and what became of the other is told."""
    twin = replace(MODEL, id="demo/copy", downloads=1)
    pool = pool_of(MODEL, twin)
    assert [model.name for model in pool.models] == [MODEL.name]
    (other,) = pool.left_out
    assert other.name == twin.name
    assert (str(other.state), other.reason) == (
        "not needed", f"same weights and files as {MODEL.name}, which stands for both",
    )  # fmt: skip


def test_twins_that_are_barred_are_both_named() -> None:
    """The other with the reason of the one that stands for it."""
    barred = replace(MODEL, labels=("cat", "dog"))
    both = [barred, replace(barred, id="demo/copy")]
    pool = pool_of(
        *(replace(one, labels=(), described=False) for one in both), describe=lambda _: both
    )
    one, other = pool.left_out
    assert (one.name, other.name) == (both[0].name, both[1].name)
    assert one.state is other.state
    assert other.reason == f"same weights and files as {one.name}: {one.reason}"


def test_the_same_weights_with_another_tokenizer_are_two_candidates() -> None:
    """A candidate is a prediction function."""
    files = (*MODEL.files[:2], File("vocab.txt", 200_000, None, "e" * 40))
    pool = pool_of(MODEL, replace(MODEL, id="demo/broken", files=files))
    assert len(pool.models) == 2
    assert not pool.left_out


def test_weights_of_the_ledger_follow_the_score() -> None:
    """Among equals in size, the more promising has more of delta."""
    pool = pool_of(another("demo/low", downloads=10), another("demo/high", downloads=10**7))
    known = [
        Metadata.of(c.model, c.recipe, metric="accuracy", own_data=frozenset())[0]
        for c in pool.candidates
    ]
    shares = dict(zip(names(pool.candidates), weights(known, 0.9), strict=True))
    assert merged(list(shares)) == tuple((i,) for i in range(len(shares)))
    assert shares["demo/high torch-fp32"] > shares["demo/low torch-fp32"]


def names(candidates: Sequence[Candidate]) -> list[str]:
    return [f"{candidate.model.id} {candidate.recipe.name}" for candidate in candidates]


# ---------------------------------------------------------------------- as the user sees it
CONFIG = {
    "architectures": ["BertForSequenceClassification"],
    "model_type": "bert",
    "hidden_size": 4,
    "num_hidden_layers": 1,
    "vocab_size": 10,
    "id2label": {"0": "negative", "1": "positive"},
    "label2id": {"negative": 0, "positive": 1},
}


def write_model(folder: Path, *, card: str = "license: mit", **config: Any) -> None:
    """A repository of 70 values, as far as planning looks at it."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [70], "data_offsets": [0, 280]}}).encode()
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(
        len(header).to_bytes(8, "little") + header + folder.name.encode().ljust(280, b"\0")
    )
    (folder / "config.json").write_text(json.dumps({**CONFIG, **config}))
    (folder / "vocab.txt").write_text("good\nbad\n")
    (folder / "README.md").write_text(f"---\n{card}\n---\n")


def write_rows(path: Path) -> Path:
    """Two hundred labelled rows."""
    rows = [{"text": f"it is {i}", "label": LABELS[i % 2]} for i in range(200)]
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_the_plan_tells_who_is_left_out_and_what_to_beware_of(tmp_path: Path) -> None:
    """In the dry run's figures, before anything is run."""
    root = tmp_path / "models" / "demo"
    write_model(root / "fine", card="license: mit\ndatasets: [sst2]")
    write_model(root / "nc", card="license: cc-by-nc-4.0")
    write_model(root / "child", card="license: mit\nbase_model: demo/nc")
    write_model(root / "code", auto_map={"AutoModel": "modeling.Evil"})
    write_model(root / "gptq", quantization_config={"quant_method": "gptq"})
    data = write_rows(tmp_path / "sst2.jsonl")
    shown = plan(
        data, "accuracy >= 0.8", sources=[f"folder:{root.parent}"], commercial=True,
        home=tmp_path / "home",
    )  # fmt: skip
    found = {name.partition("@")[0]: (state, why) for name, state, why in shown.left_out}
    assert {name: state for name, (state, _) in found.items()} == {
        "demo/nc": "over a limit",
        "demo/child": "over a limit",
        "demo/code": "remote code",
        "demo/gptq": "unsupported",
    }
    assert "demo/child <- demo/nc is cc-by-nc-4.0" in found["demo/child"][1]
    assert any("demo/fine (sst2)" in warning for warning in shown.warnings)


@pytest.mark.parametrize("more", [{}, {"models": ["demo/ant"]}], ids=["listed", "named"])
def test_a_scan_that_ends_later_is_learnt(tmp_path: Path, more: dict[str, Any]) -> None:
    """Until then the plan warns; then a finding turns the model down."""
    ant, data = tmp_path / "zoo" / "demo" / "ant", write_rows(tmp_path / "rows.jsonl")
    write_model(ant)
    with LoopbackHub(tmp_path / "zoo") as hub:
        asked: dict[str, Any] = {"sources": [f"hub:{hub.endpoint}"], "home": tmp_path / "home"}
        (ant / ".hub.json").write_text(json.dumps({"securityRepoStatus": {"scansDone": False}}))
        pending = plan(data, "accuracy >= 0.8", **asked, **more)
        assert any("not scanned by the Hub: demo/ant (" in told for told in pending.warnings)
        issues = [{"path": "pytorch_model.bin", "level": "unsafe"}]
        found = {"securityRepoStatus": {"filesWithIssues": issues}}
        (ant / ".hub.json").write_text(json.dumps(found))
        ended = plan(data, "accuracy >= 0.8", **asked, **more)
        assert [state for _, state, _ in ended.left_out] == ["flagged unsafe"]


def test_a_snapshot_is_read_again_when_it_was_replaced(tmp_path: Path) -> None:
    """Its models are those of the present file, and what no Hub scanned is told by name."""
    file, data = tmp_path / "all.gz", write_rows(tmp_path / "rows.jsonl")

    def planned(*models: Model, **more: Any) -> Any:
        with Catalog(tmp_path / f"{models[0].id[5:]}.db") as other:
            other.upsert(models)
            export_catalog(other, file)
        sources = [f"snapshot:{file}"]
        return plan(data, "accuracy >= 0.8", sources=sources, home=tmp_path / "home", **more)

    first = planned(replace(MODEL, security=None))
    assert {name.partition("@")[0] for name, _ in first.candidates} == {"demo/ant"}
    assert any("not scanned by the Hub: demo/ant (" in warning for warning in first.warnings)
    second = planned(another("demo/bee"))
    assert {name.partition("@")[0] for name, _ in second.candidates} == {"demo/bee"}
    named = planned(another("demo/bee", license="apache-2.0", security=None), models=["demo/bee"])
    assert any("not scanned by the Hub: demo/bee (" in warning for warning in named.warnings)
