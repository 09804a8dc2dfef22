"""The order of documents for a query, by cross-encoders that read both together."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evaluators.protocols import Answerer, Forward
from evaluators.serving import Serving
from evaluators.task import Task
from evaluators.tasks.base import TextTask


class TextRanking(TextTask):
    """A model's one output is the score of a pair (Nogueira and Cho 2019)."""

    name = "text-ranking"
    auto_class = "AutoModelForSequenceClassification"

    @property
    def tags(self) -> tuple[str, ...]:
        """Cross-encoders are listed under both."""
        return (self.name, "text-classification")

    def settings(self) -> Task:
        """At most 512 tokens of query and document, 32 pairs a batch."""
        return Task(self.name, options={"parts": ["query", "documents"]})

    def labels(self, config: Mapping[str, Any], task: Task) -> tuple[str, ...]:
        """None; CandidateFailed where the model has another number of outputs than one."""
        from evaluators.measurement import CandidateFailed, State

        names = config.get("id2label") or ("LABEL_0", "LABEL_1")  # what transformers assumes
        if len(names) != 1:
            reason = f"it has {len(names)} outputs: it classifies, and ranks nothing"
            raise CandidateFailed(State.UNSUPPORTED, reason)
        return ()

    def serve(
        self, folder: Path, serving: Serving, run: Forward, *, dtype: str, weight_bytes: int
    ) -> Answerer:
        """Pairs of tokens in, scores out."""
        from evaluators.answerers.scored_pairs import PairScorer
        from evaluators.tokenization import Tokenization

        return PairScorer(serving, Tokenization.load(folder, serving), run, dtype, weight_bytes)
