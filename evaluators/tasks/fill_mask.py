"""The word that is missing in a text."""

from dataclasses import replace
from pathlib import Path

from evaluators.protocols import Answerer, Forward, Inputs
from evaluators.serving import Serving
from evaluators.task import Task
from evaluators.tasks.base import TextTask

MASK_TOKEN = "mask_token"  # noqa: S105  # an option's name


class FillMask(TextTask):
    """The ten likeliest words for `[MASK]`, which becomes the model's own mask token."""

    name = "fill-mask"
    auto_class = "AutoModelForMaskedLM"

    def settings(self) -> Task:
        """At most 512 tokens around the gap; 8 rows a batch, whose logits are large."""
        return Task(self.name, batch_size=8, options={"parts": ["text"]})

    def inputs(self, source: Path, task: Task) -> Inputs:
        """The repository's tokenizer, and its mask token."""
        from evaluators.measurement import CandidateFailed, State
        from evaluators.tokenizer_export import RepositoryTokenizer

        loaded = RepositoryTokenizer.load(source, task)
        mask = loaded.tokenizer.mask_token
        if mask is None:
            raise CandidateFailed(State.UNSUPPORTED, "its tokenizer has no mask token")
        return replace(loaded, told={MASK_TOKEN: str(mask)})

    def serve(
        self, folder: Path, serving: Serving, run: Forward, *, dtype: str, weight_bytes: int
    ) -> Answerer:
        """Tokens in, words out."""
        from evaluators.answerers.mask import MaskFiller
        from evaluators.tokenization import Tokenization

        tokenization = Tokenization.uncut(folder, serving)
        mask = str(serving.options[MASK_TOKEN])
        return MaskFiller(serving, tokenization, run, dtype, weight_bytes, mask)
