"""Measure one model in every recipe that this machine can run, without asking for a quality.

python examples/compare_recipes.py ROWS MODELS MODEL [BACKEND...]

ROWS is a csv, tsv, jsonl or parquet file, MODELS a folder of repositories, MODEL one of its ids.
"""

import sys

from recommender import Outcome, measure

rows, models, model, *backends = sys.argv[1:]
found = measure(rows, models=[model], sources=[f"folder:{models}"], backends=backends)


def figure(outcome: Outcome, measure: str, digits: int) -> str:
    """A measured value, or a dash: what was not measured is never a number."""
    value = outcome.value(measure)
    return "-" if value is None else f"{value:.{digits}f}"


print("recipe            accuracy  size_mb  latency_p50_ms  peak_memory_mb")
for outcome in sorted(found.candidates, key=lambda outcome: outcome.predicted_size_mb):
    print(
        f"{outcome.recipe.name:17} {figure(outcome, 'accuracy', 3):>8}"
        f" {figure(outcome, 'size_mb', 2):>8} {figure(outcome, 'latency_p50_ms', 2):>15}"
        f" {figure(outcome, 'peak_memory_mb', 0):>15}"
    )
print(found.guarantee)
