"""How alike two texts are: the cosine of their embeddings."""

from dataclasses import replace
from pathlib import Path

from evaluators.protocols import Answerer, Forward, Inputs
from evaluators.serving import Serving
from evaluators.task import Task
from evaluators.tasks.base import TextTask


class SentenceSimilarity(TextTask):
    """Embeddings are pooled as the repository's own files say, else by the mean over tokens."""

    name = "sentence-similarity"
    auto_class = "AutoModel"
    outputs = ("last_hidden_state",)
    spare_weights = ("pooler.",)

    @property
    def tags(self) -> tuple[str, ...]:
        """Embedding models are listed under both."""
        return (self.name, "feature-extraction")

    def inputs(self, source: Path, task: Task) -> Inputs:
        """The repository's tokenizer, and how it makes embeddings."""
        from evaluators.sentence_modules import SentenceModules
        from evaluators.tokenizer_export import RepositoryTokenizer

        modules = SentenceModules.read(source)
        limit = min(task.max_length, modules.max_length or task.max_length)
        loaded = RepositoryTokenizer.load(source, replace(task, max_length=limit))
        told = {"pooling": list(modules.pooling), "prompt": modules.prompt, "lower": modules.lower}
        return replace(loaded, told=told)

    def serve(
        self, folder: Path, serving: Serving, run: Forward, *, dtype: str, weight_bytes: int
    ) -> Answerer:
        """Pairs of texts in, cosines out."""
        from evaluators.answerers.embedding import SimilarityScorer

        return SimilarityScorer.load(folder, serving, run, dtype, weight_bytes)
