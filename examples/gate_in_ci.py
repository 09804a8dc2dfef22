"""Let a pipeline fail when the model in use no longer meets its requirements on new labels.

python examples/gate_in_ci.py ROWS MODELS MODEL    exit code 0: it does; 3: that was not shown

ROWS is a csv, tsv, jsonl or parquet file, MODELS a folder of repositories, MODEL one of its ids.
"""

import sys

from recommender import find

rows, models, model = sys.argv[1:]
found = find(
    rows,
    ["accuracy >= 0.80", "size_mb <= 50"],
    models=[model],
    sources=[f"folder:{models}"],
    backends=["onnxruntime"],
)
if found.choice is None:
    print(f"{model} was not shown to meet {' and '.join(found.plan.requirements)}:")
    print(found.why() or "\n".join(found.notes))
    sys.exit(3)
print(f"{found.choice.name}: {found.choice.reason}")
