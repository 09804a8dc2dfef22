"""The text of benchmarks/results/tasks.md, from the figures of benchmarks/tasks.py."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from evaluators.hardware import machine

Found = Mapping[str, Any]  # JSON: what one trial found


def report(done: Mapping[str, Found], names: Sequence[str]) -> str:
    """All trials, and the targets of those that were measured in full; `names` are all trials'."""
    several = [found for found in done.values() if len(found["answers"]) > 1]
    parts = [head(), every_task(list(done.values())), checks(list(done.values()))]
    return (
        "\n\n".join([*parts, *(exhaustive(found) for found in several), remarks(done, names)])
        + "\n"
    )


def head() -> str:
    return f"""# Every task on real data

Written by `python benchmarks/tasks.py`, {datetime.now(UTC):%Y-%m-%d}. Rows are real; a *toy* is a
model that the benchmark trains on other rows of the same data, because no trained model of that
task can be had without a network. Toys show that a task is read, run and measured rightly, and
nothing about what models can do."""


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """The lines of a table."""
    head, *lines = (f"| {' | '.join(map(str, cells))} |" for cells in (columns, *rows))
    return [head, f"|{'---|' * len(columns)}", *lines]


def every_task(done: Sequence[Found]) -> str:
    columns = ("data", "rows", "models", "candidates", "asked", "answer", "MB", "score", "seconds")
    rows = (row(found, answer) for found in done for answer in found["answers"])
    return "\n".join(["## The searches", "", *table(columns, rows)])


def row(found: Found, answer: Found) -> tuple[object, ...]:
    choice = answer["choice"]
    told = ("none shown to be sufficient", "", "")
    if choice:
        told = (choice["name"], f"{choice['size_mb']:.3g}", f"{choice['score']:.4f}")
    return (found["name"], f"{found['n_rows']:,}", found["models"], found["n_candidates"],
            answer["asked"], *told, f"{answer['seconds']:.0f}")  # fmt: skip


def checks(done: Sequence[Found]) -> str:
    columns = ("data", "metric", "model", "ours", "independent", "difference")
    lines = [
        "## The same score twice",
        "",
        "The chosen model in fp32: by us (its fp32 candidate under `measure`), and from the file",
        "to the score without our code (benchmarks/task_scores.py: transformers on torch, and the",
        "library of the metric).",
        "",
        *table(columns, (check(found) for found in done if found["twice"])),
    ]
    return "\n".join(lines)


def check(found: Found) -> tuple[str, ...]:
    twice = found["twice"]
    ours, other = twice["ours"], twice["independent"]
    return (found["name"], found["metric"], twice["model"], f"{ours:.5f}", f"{other:.5f}",
            f"{ours - other:+.5f}")  # fmt: skip


def exhaustive(found: Found) -> str:
    """Each target against what measuring every candidate on every row says."""
    ranked = sorted(found["candidates"], key=lambda one: one["size_mb"])
    measured = ((one["name"], f"{one['size_mb']:.3g}", score(one)) for one in ranked)
    verdicts = (verdict(found, answer, ranked) for answer in found["answers"])
    lines = [
        f"## {found['name']}: every candidate on all {found['n_rows']:,} rows",
        "",
        *table(("candidate, smallest first", "MB", found["metric"]), measured),
        "",
        *table(("asked", "answer", "smallest that reaches it on these rows", "is it so"), verdicts),
    ]
    return "\n".join(lines)


def verdict(found: Found, answer: Found, ranked: Sequence[Found]) -> tuple[str, ...]:
    target = float(answer["asked"].split(">=")[1])
    reaching = [one for one in ranked if one["score"] is not None and one["score"] >= target]
    least = reaching[0]["name"] if reaching else "none"
    choice = answer["choice"]
    name = choice["name"] if choice else "none"
    return answer["asked"], name, least, confirmed(answer, name, reaching)


def confirmed(answer: Found, name: str, reaching: Sequence[Found]) -> str:
    """In words, whether the full measurement agrees; what is smaller and undecided is named."""
    if name == "none":
        if not reaching:
            return "yes: none reaches it"
        return "; ".join(["none is proven", *map(str, undecided(answer, reaching))])
    if not any(one["name"] == name for one in reaching):
        return "NO: it does not reach the target on all rows"
    smaller = reaching[: [one["name"] for one in reaching].index(name)]
    if not smaller:
        return "yes: the smallest"
    return "; ".join(["sufficient; smaller ones are not proven", *undecided(answer, smaller)])


def undecided(answer: Found, others: Sequence[Found]) -> list[str]:
    """What the search says of candidates that reach the target on these rows."""
    tried = {one["name"]: one for one in answer["tried"]}
    told = []
    for other in others:
        one = tried.get(other["name"])
        if one is None:
            told.append(f"{other['name']} was not run")
        elif one["certified"] is None:
            told.append(f"{other['name']} {one['verdict']}")
        else:
            told.append(f"{other['name']} {one['verdict']}, certified >= {one['certified']:.3f}")
    return told


def score(one: Found) -> str:
    return one["state"] if one["score"] is None else f"{one['score']:.4f}"


def remarks(done: Mapping[str, Found], names: Sequence[str]) -> str:
    here = machine()
    left = ", ".join(name for name in names if name not in done)
    lacking = f"- Not run, or their data is not here: {left}.\n" if left else ""
    return f"""{lacking}\
- The zoo's taggers know CoNLL-2003's types, and WNUT-17 has others. PER is taken for person and LOC
  for location; ORG and MISC have no counterpart and become O, and nothing finds the data's
  corporation, creative-work, group and product, so that the F1 over all types is low. CoNLL-2003
  itself is not here.
- No trained reader of questions, summarizer or translator could be had: those three are toys.
- Seconds are wall time of `find` in a running Python with an empty RECOMMENDER_HOME for each data
  set; where several targets were asked one after the other, the later ones use what is known.
- Candidates are models x recipes of one runtime: onnxruntime (fp32, int8), and torch (fp32, bf16,
  int8) for models that write texts.
- Machine: {here.describe()}, shared with other work.
- Libraries: {", ".join(f"{name} {version}" for name, version in here.libraries.items())}."""
