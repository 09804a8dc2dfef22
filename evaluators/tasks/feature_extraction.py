"""Which documents of a corpus answer a query: those whose embeddings are nearest to its own."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluators.corpus import CORPUS, corpus_digest
from evaluators.protocols import Answerer, Forward, Inputs
from evaluators.serving import Serving
from evaluators.task import TOP_K, Task
from evaluators.tasks.base import TextTask

if TYPE_CHECKING:
    from evaluators.samples import Samples

QUERY_PROMPT, DOCUMENT_PROMPT = "query_prompt", "document_prompt"
MOST_DOCUMENTS = 1000


class FeatureExtraction(TextTask):
    """Retrieval: the ids of the nearest documents, best first.

    Embeddings are pooled, normalised and compared as the repository's own files say, else by the
    mean over tokens and the cosine. Options: `top_k`, how many documents are answered;
    `query_prompt` and `document_prompt`, put before each text, else as the repository says.
    `corpus` holds the digest of the documents.
    """

    name = "feature-extraction"
    auto_class = "AutoModel"
    outputs = ("last_hidden_state",)
    spare_weights = ("pooler.",)

    @property
    def tags(self) -> tuple[str, ...]:
        """Embedding models are listed under both."""
        return (self.name, "sentence-similarity")

    def settings(self) -> Task:
        """At most 512 tokens; the 100 nearest documents."""
        return Task(self.name, options={TOP_K: 100})

    def fitted(self, task: Task, samples: "Samples") -> Task:
        """The digest of the corpus. BadInput without one, or for settings that mean nothing."""
        from cache.errors import BadInput

        _check(task)
        if not samples.corpus:
            raise BadInput(
                f"{samples.name}: no documents to search in. Give a folder with corpus.jsonl, "
                "queries.jsonl and qrels/, or the columns query and positive."
            )
        return replace(task, options={**task.options, CORPUS: corpus_digest(samples.corpus)})

    def inputs(self, source: Path, task: Task) -> Inputs:
        """The repository's tokenizer, and how it makes and compares embeddings."""
        from evaluators.sentence_modules import SearchModules, SentenceModules
        from evaluators.tokenizer_export import RepositoryTokenizer

        modules, search = SentenceModules.read(source), SearchModules.read(source)
        limit = min(task.max_length, modules.max_length or task.max_length)
        told: dict[str, Any] = {
            "pooling": list(modules.pooling),
            "lower": modules.lower,
            "similarity": search.similarity,
            "normalize": search.normalize,
            QUERY_PROMPT: task.options.get(QUERY_PROMPT, search.query_prompt),
            DOCUMENT_PROMPT: task.options.get(DOCUMENT_PROMPT, search.document_prompt),
        }
        loaded = RepositoryTokenizer.load(source, replace(task, max_length=limit))
        return replace(loaded, told=told)

    def serve(
        self, folder: Path, serving: Serving, run: Forward, *, dtype: str, weight_bytes: int
    ) -> Answerer:
        """Queries in, ids of documents out."""
        from evaluators.answerers.retrieval import Retriever

        return Retriever.load(folder, serving, run, dtype, weight_bytes)


def _check(task: Task) -> None:
    from cache.errors import BadInput

    top_k = task.options.get(TOP_K)
    if type(top_k) is not int or not 1 <= top_k <= MOST_DOCUMENTS:
        raise BadInput(f"top_k {top_k!r} must be a number from 1 to {MOST_DOCUMENTS:,}")
    for name in (QUERY_PROMPT, DOCUMENT_PROMPT):
        if not isinstance(task.options.get(name, ""), str):
            raise BadInput(f"{name} {task.options[name]!r} must be a text, as in {name}='query: '")
