"""How long the work will take."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache.measurements import SPENT_KEPT, Measurements, Spent
from catalog.model import Model
from evaluators.candidate import Candidate, Recipe
from recommender.costs import (
    DEFAULTS,
    CostModel,
    Expected,
    Line,
    forecast,
    in_words,
    remaining_s,
    spent_on,
)

SIZES = (0.1e6, 0.3e6, 1.2e6, 4.4e6, 7e6, 22e6, 110e6)


def steps(
    line: Line, *, kind: str = "load", backend: str = "torch", precision: str = "fp32",
    sizes: tuple[float, ...] = SIZES, noise: float = 0.0, row_kb: float = 0.1, n_rows: int = 256,
) -> list[Spent]:  # fmt: skip
    """What a machine spends whose seconds follow a line, times a noise of that many e-folds."""
    draw = random.Random(7)
    found = []
    for size in sizes * 4:
        work = size / 1e6 * (row_kb if kind == "rows" else 1.0)
        seconds = (
            line.at(work) * (n_rows if kind == "rows" else 1) * pow(2.718, draw.gauss(0, noise))
        )
        mb = n_rows * row_kb / 1e3 if kind == "rows" else size / 2.5e5
        rows = n_rows if kind == "rows" else 0
        found.append(Spent(kind, backend, precision, size, mb, rows, seconds))
    return found


def candidate(
    n_parameters: float | None = 5e6, *, backend: str = "torch", precision: str = "fp32",
    source: str = "hub", size_mb: float = 20.0, download_mb: float = 20.0, name: str = "org/model",
    embedding: int | None = None,
) -> Candidate:  # fmt: skip
    counted = {"F32": int(n_parameters)} if n_parameters else {}
    model = Model(name, "1" * 40, source, parameters=counted, embedding_parameters=embedding)
    recipe = Recipe(f"{backend}-{precision}", backend, precision)
    return Candidate(model, recipe, size_mb, download_mb)


@pytest.mark.parametrize("kind", ["build", "load", "rows"])
@pytest.mark.parametrize("noise", [0.0, 0.25])
def test_a_line_is_recovered_from_what_was_spent(kind: str, noise: float) -> None:
    """Fixed and proportional parts are found within twice the noise, over three decades of size."""
    line = Line(3e-3, 8e-3) if kind == "rows" else Line(2.0, 0.3)
    found = CostModel.learn(steps(line, kind=kind, noise=noise)).line(kind, "torch", "fp32")
    for millions in (0.1, 1.0, 10.0, 100.0):
        assert found.at(millions) == pytest.approx(line.at(millions), rel=1e-3 + 2 * noise)


def test_one_stalled_step_changes_little() -> None:
    """A step that took ten minutes is outvoted, with many others and with a few."""
    line = Line(0.5, 0.05)
    for many in (steps(line), steps(line)[: len(SIZES)], steps(line)[2:5]):
        stalled = Spent("load", "torch", "fp32", 4.4e6, 17.6, 0, 600.0)
        found = CostModel.learn([*many, stalled]).line("load", "torch", "fp32")
        assert found.at(4.4) == pytest.approx(line.at(4.4), rel=0.5)


def test_without_a_past_the_defaults_hold() -> None:
    """An empty history gives the default of each backend and precision."""
    model = CostModel.learn()
    for step, lines in DEFAULTS.items():
        for (backend, precision), line in lines.items():
            assert model.line(step, backend, precision) == line


def test_an_unknown_precision_is_scaled_by_its_backend() -> None:
    """A machine three times as slow on one precision is taken to be so on the others."""
    slow = DEFAULTS["rows"]["openvino", "fp32"].scaled(3.0)
    model = CostModel.learn(steps(slow, kind="rows", backend="openvino"))
    expected = DEFAULTS["rows"]["openvino", "int8"].scaled(3.0)
    assert model.line("rows", "openvino", "int8").at(1.0) == pytest.approx(expected.at(1.0))


def test_an_unknown_backend_is_scaled_by_all_others() -> None:
    """Where a backend has no past, that of the others counts; its own comes first."""
    default = DEFAULTS["load"]
    past = steps(default["torch", "fp32"].scaled(4.0))
    model = CostModel.learn(past)
    assert model.line("load", "openvino", "int8").at(9.0) == pytest.approx(
        default["openvino", "int8"].scaled(4.0).at(9.0)
    )
    own = steps(default["openvino", "fp32"].scaled(0.5), backend="openvino")
    model = CostModel.learn([*past, *own])
    assert model.line("load", "openvino", "int8").at(9.0) == pytest.approx(
        default["openvino", "int8"].scaled(0.5).at(9.0)
    )


def test_two_steps_are_not_believed() -> None:
    """One of two cannot be told to be the stalled one, so the default stays."""
    model = CostModel.learn(steps(Line(60.0, 0.0))[:2])
    assert model == CostModel.learn()


def test_small_models_do_not_make_large_ones_free() -> None:
    """Where tiny models hardly differ, a large one keeps the default's growth with the size."""
    tiny = [
        Spent("rows", "torch", "fp32", size, 0.0256, 256, 256 * seconds)
        for size, seconds in ((0.01e6, 3.6e-4), (0.02e6, 3.5e-4), (0.04e6, 3.4e-4))
    ]
    found = CostModel.learn(tiny).line("rows", "torch", "fp32").at(10.0)
    assert found == pytest.approx(DEFAULTS["rows"]["torch", "fp32"].at(10.0), rel=0.5)


def test_the_embedding_costs_no_time_for_each_row() -> None:
    """Of 100 million parameters, 90 in the embedding, a row goes through 10."""
    model = CostModel.learn()
    multilingual = candidate(100e6, embedding=90_000_000)
    assert model.expect(multilingual).row_s == model.expect(candidate(10e6)).row_s
    assert spent_on("rows", multilingual, 1.0, n_rows=9, text_kb=1.0).n_parameters == 10e6
    assert model.expect(multilingual).load_s == model.expect(candidate(100e6)).load_s


@pytest.mark.parametrize("seconds", [0.0, 5e-324])
def test_steps_that_took_no_time_are_learned_from(seconds: float) -> None:
    """A clock that does not tick, or a step of nothing, gives no error and no negative time."""
    past = [Spent("load", "torch", "fp32", size, 4.0, 0, seconds) for size in SIZES]
    assert 0.0 <= CostModel.learn(past).line("load", "torch", "fp32").at(5.0) < 1e-3


def test_download_follows_the_last_speeds() -> None:
    """At 5 MB/s, 100 MB take about 20 s."""
    past = [Spent("download", "", "", None, mb, 0, mb / 5.0) for mb in (10.0, 40.0, 90.0, 200.0)]
    assert CostModel.learn(past).download_s(100.0) == pytest.approx(20.0, rel=0.1)


def test_a_folder_is_not_downloaded() -> None:
    """A model that is on this machine costs no download, however large."""
    assert CostModel.learn().expect(candidate(source="folder:zoo")).download_s == 0.0
    assert CostModel.learn().expect(candidate()).download_s > 0.0


def test_long_rows_cost_more_up_to_the_cut() -> None:
    """Seconds grow with the text of a row, until models cut it."""
    model = CostModel.learn()
    times = [model.expect(candidate(), row_kb=kb).row_s for kb in (0.1, 1.0, 2.0, 50.0)]
    assert times[0] < times[1] < times[2] == times[3]


def test_parameters_are_told_by_the_size_where_unknown() -> None:
    """20 MB in float32 are 5 million parameters, as 5 MB in int8 are."""
    model = CostModel.learn()
    assert model.expect(candidate(None, size_mb=20.0)) == model.expect(candidate(5e6))
    small = candidate(None, precision="int8", size_mb=5.0)
    assert model.expect(small) == model.expect(candidate(5e6, precision="int8"))


@given(
    st.lists(
        st.builds(
            Spent,
            kind=st.sampled_from(["download", "build", "load", "rows"]),
            backend=st.sampled_from(["torch", "openvino", "strange"]),
            precision=st.sampled_from(["fp32", "int8", "strange"]),
            n_parameters=st.none() | st.floats(0, 1e10),
            mb=st.floats(0, 1e5),
            n_rows=st.integers(0, 10_000),
            seconds=st.floats(0, 1e5),
        ),
        max_size=12,
    )
)
def test_no_past_gives_negative_or_endless_seconds(spent: list[Spent]) -> None:
    """Whatever was recorded, every expectation is finite and not negative."""
    model = CostModel.learn(spent)
    for backend, precision in (("torch", "fp32"), ("openvino", "int8"), ("strange", "strange")):
        found = model.expect(candidate(5e6, backend=backend, precision=precision))
        for seconds in (found.download_s, found.build_s, found.load_s, found.row_s):
            assert 0.0 <= seconds < 1e12


# ---------------------------------------------------------------------- what is left
def test_what_is_done_no_longer_counts() -> None:
    """Each finished step takes its seconds off; nothing is left with the last row."""
    expected = Expected(download_s=8.0, build_s=4.0, load_s=2.0, row_s=0.1)
    assert remaining_s(expected, 10) == pytest.approx(15.0)
    assert remaining_s(expected, 10, fetched=True) == pytest.approx(7.0)
    assert remaining_s(expected, 10, built=True) == pytest.approx(3.0)
    assert remaining_s(expected, 10, loaded=True) == pytest.approx(1.0)
    assert remaining_s(expected, 0) == 0.0


def test_a_forecast_sums_what_is_left() -> None:
    """Rows already answered and artifacts already built cost nothing."""
    model = CostModel.learn()
    one, two, done = (candidate(name=name) for name in ("org/a", "org/b", "org/c"))
    found = forecast(
        model, [(one, 1000), (two, 500), (done, 0)], download_mb=12, built=frozenset({two.name})
    )
    assert (found.n_to_build, found.n_to_load, found.n_rows) == (1, 2, 1500)
    fewer = forecast(model, [(one, 1000)], download_mb=12)
    expected = model.expect(two)
    assert found.seconds - fewer.seconds == pytest.approx(expected.load_s + 500 * expected.row_s)


def test_a_forecast_is_described_in_one_line() -> None:
    """Bytes, candidates and rows are named; what is not to be done is not."""
    left = [(candidate(name=f"org/{n}"), 2000) for n in range(30)]
    line = forecast(CostModel.learn(), left, download_mb=12.3).describe()
    assert line.startswith("up to about ")
    assert line.endswith(
        ": 12 MB to download, 30 candidates to build, 30 candidates to load, "
        "at most 60,000 rows to answer"
    )
    built = frozenset(one.name for one, _ in left[:1])
    line = forecast(CostModel.learn(), left[:1], built=built).describe()
    assert line.split(": ")[1] == "1 candidate to load, at most 2,000 rows to answer"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "5 s"), (41, "40 s"), (59, "60 s"), (61, "1 min"), (260, "4 min"), (7000, "2 h")],
)
def test_durations_are_as_coarse_as_they_are_known(seconds: float, words: str) -> None:
    """Seconds in steps of five, then minutes, then hours."""
    assert in_words(seconds) == words


# ---------------------------------------------------------------------- the store
def test_the_store_gives_back_the_last_steps_of_this_machine(tmp_path: Path) -> None:
    """Each kind, backend and precision keeps its last steps; other machines' are not read."""
    loads = [Spent("load", "torch", "fp32", 1e6, 4.0, 0, float(n)) for n in range(SPENT_KEPT + 5)]
    build = Spent("build", "torch", "fp32", None, 4.0, 0, 1.5)
    with Measurements(tmp_path / "measurements.db") as store:
        store.record_spent("here", [build])
        store.record_spent("here", loads)
        store.record_spent("there", [Spent("rows", "torch", "fp32", 1e6, 0.1, 256, 9.0)])
        assert store.spent("here") == [build, *loads[5:]]


def test_a_step_is_recorded_with_what_it_went_through() -> None:
    """A download counts its own MB, a load the weights', rows their text's."""
    one = candidate(size_mb=10.0, download_mb=21.0)
    assert spent_on("download", one, 3.0).mb == 21.0
    assert spent_on("load", one, 3.0).mb == 10.0
    rows = spent_on("rows", one, 3.0, n_rows=256, text_kb=25.6)
    assert (rows.mb, rows.n_rows) == (pytest.approx(0.0256), 256)


def test_recorded_steps_teach_the_model() -> None:
    """What one candidate is recorded to take is what the next one like it is expected to take."""
    past = [
        spent_on("rows", candidate(), seconds, n_rows=100, text_kb=10.0)
        for seconds in (6.0, 6.0, 6.6)
    ]
    assert CostModel.learn(past).expect(candidate()).row_s == pytest.approx(0.06)


def test_learning_is_cheap() -> None:
    """A full history is learned in the time of an answer from memory, without numpy."""
    full = [
        step
        for backend in ("torch", "onnxruntime", "openvino")
        for precision in ("fp32", "bf16", "int8")
        for kind in ("build", "load", "rows")
        for step in steps(Line(0.01, 0.01), kind=kind, backend=backend, precision=precision)
    ]
    started = time.process_time()
    CostModel.learn(full)
    assert time.process_time() - started < 0.25
    code = "import sys, recommender.costs; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
