"""Texts to token ids: what is cut is counted without encoding again."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models, pre_tokenizers

from evaluators.serving import TOKENIZER_FILE, Padding, Serving
from evaluators.tokenization import Tokenization

SERVING = Serving("torch", "fp32", (), ("input_ids",), 3, "right", Padding(0, 0, "right"), 8)


@dataclass
class Counting:
    """A tokenizer that remembers how often it encoded."""

    inner: Any  # of tokenizers: no type information
    asked: list[int] = field(default_factory=list)

    @property
    def pre_tokenizer(self) -> Any:
        return self.inner.pre_tokenizer

    def encode_batch(self, rows: Sequence[Sequence[str]], *, is_pretokenized: bool) -> Any:
        self.asked.append(len(rows))
        return self.inner.encode_batch(rows, is_pretokenized=is_pretokenized)

    def encode_batch_fast(self, texts: Sequence[str]) -> Any:
        self.asked.append(len(texts))
        return self.inner.encode_batch_fast(texts)


def counting(folder: Path) -> Tokenization:
    """Whole words, three at most."""
    words = Tokenizer(models.WordLevel({"[UNK]": 0, "a": 1, "b": 2}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    words.save(str(folder / TOKENIZER_FILE))
    loaded = Tokenization.load(folder, SERVING)
    return Tokenization(Counting(loaded.tokenizer), SERVING)


def test_counting_what_was_cut_does_not_encode_again(tmp_path: Path) -> None:
    """A worker asks behind every batch, and small models spend most of their time on tokens."""
    tokenization = counting(tmp_path)
    texts = ["a b", "a b a b", "b"]
    assert [encoding.ids for encoding in tokenization.encode(texts)] == [[1, 2], [1, 2, 1], [2]]
    assert tokenization.n_cut(texts) == 1
    assert tokenization.tokenizer.asked == [3]


def test_other_texts_are_counted_by_themselves(tmp_path: Path) -> None:
    """What is remembered is of these texts, in this order, and of no others."""
    tokenization = counting(tmp_path)
    tokenization.encode(["a b a b"])
    assert tokenization.n_cut(["a", "b"]) == 0
    assert tokenization.n_cut(["a b a b", "b b b b"]) == 2
    assert tokenization.n_cut(["a b a b"]) == 1


def test_words_are_counted_without_encoding_again_too(tmp_path: Path) -> None:
    """Taggers read words, not texts."""
    tokenization = counting(tmp_path)
    rows = [["a", "b"], ["a", "b", "a", "b"]]
    tokenization.encode_words(rows)
    assert tokenization.n_cut_words(rows) == 1
    assert tokenization.tokenizer.asked == [2]
    assert tokenization.n_cut_words(rows[:1]) == 0
