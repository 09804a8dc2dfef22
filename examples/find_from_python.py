"""Find the smallest sufficient model for labelled texts that are already in Python.

python examples/find_from_python.py                      the demo's tweets and models
python examples/find_from_python.py ROWS.jsonl MODELS    your rows, your folder of repositories
"""

import json
import sys
from pathlib import Path

from recommender import find
from recommender.demo import ZOO
from recommender.demo.tweets import read_tweets

if len(sys.argv) > 1:
    rows = [json.loads(line) for line in Path(sys.argv[1]).read_text("utf-8").splitlines()]
else:
    rows = [{"text": tweet.text, "label": tweet.label} for tweet in read_tweets().demo]
models = sys.argv[2] if len(sys.argv) > 2 else ZOO

found = find(rows, "accuracy >= 0.80", sources=[f"folder:{models}"], backends=["onnxruntime"])

print(found.why() or "nothing smaller was tried")
for outcome in found.frontier:
    print(f"frontier: {outcome.name}, {outcome.value('size_mb'):.2f} MB, {outcome.verdict}")
if found.choice is None:
    sys.exit("nothing was shown to be sufficient")
print(f"choice: {found.choice.name}: {found.choice.reason}")
print(f"guarantee: {found.guarantee}")

classify = found.load()
print(f"'a very good film' is {classify('a very good film')}")
