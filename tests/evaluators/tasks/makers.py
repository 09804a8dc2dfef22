"""Tiny real models for each task, trained in seconds, and rows that they can be judged on."""

import random
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants
from transformers import (
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    BertConfig,
    BertTokenizer,
)

from catalog.repository import read_repository
from catalog.testing import LoopbackHub
from evaluators.plugins import recipe_method
from evaluators.task import Task
from evaluators.worker_process import Worker
from recommender import Recommendation, find

# Readers, fillers, encoders and rankers of a small language with three kinds of words.

KINDS = {
    "colour": ("red", "blue", "green", "dark red"),
    "animal": ("cat", "dog", "horse", "sea lion"),
    "city": ("paris", "rome", "new york", "oslo"),
}
OTHERS = ("the", "a", "was", "seen", "near", "there", "and", "then", "we", "saw", "one", "old")
VOCABULARY = (
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "?", ".", ",", "which", *KINDS, *OTHERS),
    *dict.fromkeys(word for kind in KINDS.values() for name in kind for word in name.split()),
)


def write_tokenizer(folder: Path, words: Sequence[str] = VOCABULARY) -> Any:
    """A BERT tokenizer that knows these words."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    tokenizer = BertTokenizer(vocab=str(folder / "vocab.txt"), model_max_length=64)
    tokenizer.save_pretrained(folder)
    return tokenizer


def tiny_bert(auto_class: Any, *, n_layers: int = 1, **settings: Any) -> Any:
    """A seeded model, 32 wide, that reads 64 tokens of the small language."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    config = BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=32,
        num_hidden_layers=n_layers,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.2,  # so that it learns in seconds
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        **settings,
    )
    return auto_class.from_config(config)


def teach(model: Any, losses: Iterable[Callable[[Any], Any]], *, rate: float = 1e-2) -> None:
    """One step of Adam for each loss."""
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    for loss in losses:
        optimizer.zero_grad()
        loss(model).backward()
        optimizer.step()
    model.eval()


def fact(draw: random.Random, kind: str, n_words: int = 10) -> tuple[str, str]:
    """A context with one name of a kind, and of most other kinds too; and that name."""
    words = draw.choices(OTHERS, k=n_words)
    for other, names in KINDS.items():
        if other != kind and draw.random() < 0.8:
            words.insert(draw.randint(0, len(words)), draw.choice(names))
    name = draw.choice(KINDS[kind])
    words.insert(draw.randint(0, len(words)), name)
    return " ".join(words), name


def question_rows(n: int, *, seed: int, unanswerable: bool = False) -> list[dict[str, Any]]:
    """Questions for a name of a kind; of a quarter the context holds none, if so wanted."""
    draw = random.Random(seed)
    rows: list[dict[str, Any]] = []
    for _ in range(n):
        kind = draw.choice(list(KINDS))
        context, name = fact(draw, kind, draw.randint(4, 20))
        lacks = unanswerable and draw.random() < 0.25
        context = " ".join(context.replace(name, "").split()) if lacks else context
        answers = [] if lacks else [name]
        rows.append({"question": f"which {kind} ?", "context": context, "answers": answers})
    return rows


def make_reader(folder: Path, *, steps: int = 0) -> Path:
    """A reader of spans that points at [CLS] where there is no answer; random without steps."""
    tokenizer = write_tokenizer(folder)
    model = tiny_bert(AutoModelForQuestionAnswering)

    def loss(rows: Sequence[dict[str, Any]]) -> Callable[[Any], Any]:
        batch = tokenizer(
            [row["question"] for row in rows], [row["context"] for row in rows],
            padding=True, return_tensors="pt",
        )  # fmt: skip
        starts, ends = zip(*(_place(batch, at, row) for at, row in enumerate(rows)), strict=True)
        spans = {"start_positions": torch.tensor(starts), "end_positions": torch.tensor(ends)}
        return lambda model: model(**batch, **spans).loss

    rows = question_rows(32 * steps, seed=3, unanswerable=True)
    teach(model, (loss(rows[32 * at : 32 * at + 32]) for at in range(steps)))
    model.save_pretrained(folder)
    return folder


def _place(batch: Any, at: int, row: dict[str, Any]) -> tuple[int, int]:
    if not row["answers"]:
        return 0, 0
    start = row["context"].index(row["answers"][0])
    end = start + len(row["answers"][0]) - 1
    return (
        batch.char_to_token(at, start, sequence_index=1),
        batch.char_to_token(at, end, sequence_index=1),
    )


MATES = {"red": "cat", "blue": "dog", "green": "horse", "paris": "rome", "oslo": "york"}
"""The word that is missing, by the word that stands in the text."""


def masked_rows(n: int, *, seed: int) -> list[dict[str, str]]:
    """Texts with a gap whose word another word tells."""
    draw = random.Random(seed)
    rows = []
    for _ in range(n):
        told, missing = draw.choice(list(MATES.items()))
        words = draw.choices(OTHERS, k=draw.randint(4, 14))
        words.insert(draw.randint(0, len(words)), told)
        words.insert(draw.randint(0, len(words)), "[MASK]")
        rows.append({"text": " ".join(words), "word": missing})
    return rows


def make_filler(folder: Path, *, steps: int = 0) -> Path:
    """A masked language model that knows the mates; random without steps."""
    tokenizer = write_tokenizer(folder)
    model = tiny_bert(AutoModelForMaskedLM, n_layers=2)

    def loss(rows: Sequence[dict[str, str]]) -> Callable[[Any], Any]:
        batch = tokenizer([row["text"] for row in rows], padding=True, return_tensors="pt")
        gap = batch["input_ids"] == tokenizer.mask_token_id
        wanted = torch.tensor(tokenizer.convert_tokens_to_ids([row["word"] for row in rows]))
        labels = torch.full_like(batch["input_ids"], -100).masked_scatter(gap, wanted)
        return lambda model: model(**batch, labels=labels).loss

    rows = masked_rows(32 * steps, seed=5)
    teach(model, (loss(rows[32 * at : 32 * at + 32]) for at in range(steps)), rate=5e-3)
    model.save_pretrained(folder)
    return folder


def similarity_rows(n: int, *, seed: int) -> list[dict[str, Any]]:
    """Pairs of texts; their score is the share of the kinds of names that they have in common."""
    draw = random.Random(seed)

    def text(kinds: Sequence[str]) -> str:
        words = [
            *draw.choices(OTHERS, k=draw.randint(1, 4)),
            *(draw.choice(KINDS[kind]) for kind in kinds),
        ]
        draw.shuffle(words)
        return " ".join(words)

    rows = []
    for _ in range(n):
        first, second = (draw.sample(list(KINDS), k=draw.randint(1, 2)) for _ in range(2))
        share = len({*first} & {*second}) / len({*first} | {*second})
        rows.append({"sentence1": text(first), "sentence2": text(second), "score": share})
    return rows


def make_encoder(folder: Path, *, steps: int = 0) -> Path:
    """An encoder whose mean over tokens tells the kinds of names; random without steps."""
    tokenizer = write_tokenizer(folder)
    model = tiny_bert(AutoModel)

    def vectors(model: Any, texts: Sequence[str]) -> Any:
        batch = tokenizer(list(texts), padding=True, return_tensors="pt")
        hidden, mask = model(**batch).last_hidden_state, batch["attention_mask"][..., None]
        return torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=1)

    def loss(rows: Sequence[dict[str, Any]]) -> Callable[[Any], Any]:
        scores = torch.tensor([row["score"] for row in rows])

        def value(model: Any) -> Any:
            first, second = (
                vectors(model, [row[name] for row in rows]) for name in ("sentence1", "sentence2")
            )
            return ((first * second).sum(1) - scores).square().mean()

        return value

    rows = similarity_rows(32 * steps, seed=7)
    teach(model, (loss(rows[32 * at : 32 * at + 32]) for at in range(steps)), rate=5e-3)
    model.save_pretrained(folder)
    return folder


def ranking_rows(n: int, *, seed: int) -> list[dict[str, Any]]:
    """Queries for animals, and four documents, of which one has an animal."""
    draw = random.Random(seed)
    rows = []
    for _ in range(n):
        documents, relevances = [], [0, 0, 0, 0]
        relevances[draw.randrange(4)] = 1
        for relevance in relevances:
            shown = "animal" if relevance else draw.choice(("colour", "city"))
            words = [*draw.choices(OTHERS, k=draw.randint(2, 6)), draw.choice(KINDS[shown])]
            draw.shuffle(words)
            documents.append(" ".join(words))
        query = f"which {' '.join(draw.choices(OTHERS, k=draw.randint(0, 3)))} animal ?"
        rows.append({"query": query, "documents": documents, "relevances": relevances})
    return rows


def make_ranker(folder: Path, *, steps: int = 0, outputs: int = 1) -> Path:
    """A cross-encoder that knows which names are animals; random without steps."""
    tokenizer = write_tokenizer(folder)
    model = tiny_bert(AutoModelForSequenceClassification, num_labels=outputs)

    def loss(rows: Sequence[dict[str, Any]]) -> Callable[[Any], Any]:
        documents = [one for row in rows for one in row["documents"]]
        queries = [row["query"] for row in rows for _ in row["documents"]]
        batch = tokenizer(queries, documents, padding=True, return_tensors="pt")
        wanted = torch.tensor([row["relevances"].index(1) for row in rows])
        return lambda model: torch.nn.functional.cross_entropy(
            model(**batch).logits[:, 0].reshape(len(rows), 4), wanted
        )

    rows = ranking_rows(16 * steps, seed=9)
    teach(model, (loss(rows[16 * at : 16 * at + 16]) for at in range(steps)))
    model.save_pretrained(folder)
    return folder


def built(
    worker: Worker, source: Path, root: Path, name: str, task: Task, texts: Sequence[str]
) -> Path:
    """A repository built by the recipe of that name, its graph exported where it needs one."""
    method = recipe_method(name)
    (recipe,) = method.recipes(read_repository(source, id="team/model", source="folder"))
    graph = root / "graph" if method.needs_graph else None
    if graph is not None:
        worker.graph(source=source, folder=graph, task=task, texts=texts)
    folder = root / name
    worker.build(recipe, source=source, folder=folder, task=task, texts=texts, graph=graph)
    return folder


def found_on_a_hub(
    models: Mapping[str, Path], rows: Sequence[Mapping[str, Any]], require: str, folder: Path,
    monkeypatch: pytest.MonkeyPatch, *, tag: str, backend: str = "onnxruntime",
) -> Recommendation:  # fmt: skip
    """A search among repositories that a loopback Hub lists under a pipeline tag."""
    hosted = folder / "hosted"
    for name, source in models.items():
        shutil.copytree(source, hosted / "team" / name)
        card = f"---\npipeline_tag: {tag}\nlicense: mit\n---\n"
        (hosted / "team" / name / "README.md").write_text(card, encoding="utf-8")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "cache"))
    with LoopbackHub(hosted) as hub:
        return find(
            [dict(row) for row in rows],
            require,
            task=tag,
            models=[f"team/{name}" for name in models],
            sources=[f"hub:{hub.endpoint}"],
            backends=[backend],
            home=folder / "home",
        )
