"""The score of a model without any of our code: files read by the standard library, answers by
transformers alone in float32, measures by the libraries that define them.
"""

import csv
import json
import re
import string
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers

Answers = list[Any]
Score = Callable[[Path, Path], float]
"""Of a repository on a data file."""

MAX_NEW_TOKENS = 40


def model_of(kind: str, folder: Path) -> Any:
    """The repository's model in float32."""
    return getattr(transformers, kind).from_pretrained(folder, dtype=torch.float32).eval()


def tokenizer_of(folder: Path) -> Any:
    """The repository's tokenizer."""
    return transformers.AutoTokenizer.from_pretrained(folder)


def in_batches(items: Sequence[Any], size: int = 16) -> Iterator[list[Any]]:
    """In the given order: nothing is sorted."""
    for start in range(0, len(items), size):
        yield list(items[start : start + size])


# ---------------------------------------------------------------------- labels
def accuracy_of_texts(read: Callable[[Path], tuple[list[str], list[str]]]) -> Score:
    """The accuracy of a text classifier on what `read` gets out of a file."""

    def score(folder: Path, data: Path) -> float:
        texts, labels = read(data)
        model, tokenizer = (
            model_of("AutoModelForSequenceClassification", folder),
            tokenizer_of(folder),
        )
        found: list[str] = []
        for part in in_batches(texts):
            batch = tokenizer(part, padding=True, truncation=True, max_length=512,
                              return_tensors="pt")  # fmt: skip
            found += names_of(model, model(**batch).logits)
        return accuracy(labels, found)

    return score


def tab_separated(data: Path) -> tuple[list[str], list[str]]:
    """Texts and labels of SST-2, as the zoo's models call them."""
    pairs = [line.rsplit("\t", 1) for line in data.read_text("utf-8").splitlines()]
    names = {"0": "negative", "1": "positive"}
    return [text for text, _ in pairs], [names[label] for _, label in pairs]


def label_first(data: Path) -> tuple[list[str], list[str]]:
    """Texts and labels of TREC."""
    lines = data.read_bytes().decode("latin-1").splitlines()
    return [line[2:] for line in lines], [line[0] for line in lines]


def second_and_third_column(data: Path) -> tuple[list[str], list[str]]:
    """Texts without their titles, and labels, of AG News."""
    with data.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    return [row[2] for row in rows], [row[0] for row in rows]


def with_header(data: Path) -> tuple[list[str], list[str]]:
    """Texts and labels of Banking77."""
    with data.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row["text"] for row in rows], [row["category"] for row in rows]


def split_test(data: Path) -> tuple[list[str], list[str]]:
    """Texts and labels of CLINC150."""
    rows = json.loads(data.read_text("utf-8"))["test"]
    return [row[0] for row in rows], [row[1] for row in rows]


def accuracy_of_images(folder: Path, data: Path) -> float:
    """The accuracy of an image classifier on a folder of classes."""
    from PIL import Image

    model = model_of("AutoModelForImageClassification", folder)
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    files = sorted(data.glob("*/*.png"))
    found: list[str] = []
    for part in in_batches(files, 64):
        batch = processor(images=[Image.open(file) for file in part], return_tensors="pt")
        found += names_of(model, model(**batch).logits)
    return accuracy([file.parent.name for file in files], [one.replace("/", "-") for one in found])


def accuracy_of_sounds(folder: Path, data: Path) -> float:
    """The accuracy of a sound classifier on a csv of file names."""
    from task_models import read_wave

    model = model_of("AutoModelForAudioClassification", folder)
    extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    rate = extractor.sampling_rate
    with data.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found: list[str] = []
    for row in rows:
        wave = read_wave(Path(row["audio"]), rate)
        batch = extractor([wave], sampling_rate=rate, return_tensors="pt")
        found += names_of(model, model(**batch).logits)
    return accuracy([row["label"] for row in rows], found)


def names_of(model: Any, logits: Any) -> list[str]:
    """The label of each row."""
    return [model.config.id2label[at] for at in logits.argmax(dim=1).tolist()]


def accuracy(labels: Sequence[str], found: Sequence[str]) -> float:
    """By scikit-learn."""
    from sklearn.metrics import accuracy_score

    return float(accuracy_score(labels, found))


# ---------------------------------------------------------------------- entities
def f1_of_entities(names: dict[str, str]) -> Score:
    """The micro-F1 of a tagger by seqeval; `names` are the data's names of the model's types."""

    def score(folder: Path, data: Path) -> float:
        from seqeval.metrics import f1_score

        model, tokenizer = model_of("AutoModelForTokenClassification", folder), tokenizer_of(folder)
        rows = columns(data)
        found = [tags_of(model, tokenizer, words, names) for words, _ in rows]
        return float(f1_score([tags for _, tags in rows], found, zero_division=0))

    return score


def columns(data: Path) -> list[tuple[list[str], list[str]]]:
    """The words and tags of each sentence of a CoNLL file."""
    blocks = data.read_text("utf-8").replace("\n\t\n", "\n\n").split("\n\n")
    rows = [[line.split("\t") for line in block.splitlines() if line.strip()] for block in blocks]
    return [([line[0] for line in row], [line[-1] for line in row]) for row in rows if row]


def tags_of(model: Any, tokenizer: Any, words: list[str], names: dict[str, str]) -> list[str]:
    """The tag of each word's first token; types without a name of ours are left out."""
    batch = tokenizer([words], is_split_into_words=True, truncation=True, max_length=512,
                      return_tensors="pt")  # fmt: skip
    outputs = model(**batch).logits[0].argmax(dim=1).tolist()
    tags = ["O"] * len(words)
    seen: set[int] = set()
    for word, output in zip(batch.word_ids(0), outputs, strict=True):
        if word is None or word in seen:
            continue
        seen.add(word)
        prefix, _, kind = model.config.id2label[output].partition("-")
        tags[word] = f"{prefix}-{names[kind]}" if kind in names else "O"
    return tags


# ---------------------------------------------------------------------- similarity, questions
def spearman(folder: Path, data: Path) -> float:
    """Of cosines of means over tokens, by scipy."""
    from scipy.stats import spearmanr

    model, tokenizer = model_of("AutoModel", folder), tokenizer_of(folder)
    rows = [line.split("\t") for line in data.read_text("utf-8").splitlines()]
    at = {name: place for place, name in enumerate(rows[0])}

    def vectors(texts: list[str]) -> Any:
        batch = tokenizer(texts, padding=True, truncation=True, max_length=256, return_tensors="pt")
        mask = batch["attention_mask"][..., None]
        return (model(**batch).last_hidden_state * mask).sum(1) / mask.sum(1)

    cosines: list[float] = []
    for part in in_batches(rows[1:]):
        first, second = (
            vectors([row[at[name]] for row in part]) for name in ("sentence1", "sentence2")
        )
        cosines += torch.nn.functional.cosine_similarity(first, second).tolist()
    return float(spearmanr([float(row[at["score"]]) for row in rows[1:]], cosines).statistic)


def span_f1(folder: Path, data: Path) -> float:
    """SQuAD's F1 of the best span of at most 30 tokens, in windows of 384 with a stride of 128."""
    from task_data import questions

    model, tokenizer = model_of("AutoModelForQuestionAnswering", folder), tokenizer_of(folder)
    rows = questions(json.loads(data.read_text("utf-8")))
    values = []
    for row in rows:
        answer = span(model, tokenizer, row["question"], row["context"])
        values.append(max(shared_words(answer, wanted) for wanted in row["answers"]))
    return sum(values) / len(values)


def span(model: Any, tokenizer: Any, question: str, context: str) -> str:
    """The best span of the context, by trying every pair of a start and an end."""
    batch = tokenizer([question], [context], truncation="only_second", max_length=384, stride=128,
                      return_overflowing_tokens=True, return_offsets_mapping=True, padding=True,
                      return_tensors="pt")  # fmt: skip
    names = ("input_ids", "attention_mask", "token_type_ids")
    with torch.inference_mode():
        found = model(**{name: batch[name] for name in names})
    best = (-float("inf"), 0, 0)
    for at in range(len(batch["input_ids"])):
        places = [n for n, part in enumerate(batch.sequence_ids(at)) if part == 1]
        starts, ends = found.start_logits[at].tolist(), found.end_logits[at].tolist()
        for first in places:
            for last in range(first, min(first + 30, places[-1] + 1)):
                if starts[first] + ends[last] > best[0]:
                    offsets = batch["offset_mapping"][at]
                    here = int(offsets[first][0]), int(offsets[last][1])
                    best = (starts[first] + ends[last], *here)
    return context[best[1] : best[2]]


def shared_words(given: str, wanted: str) -> float:
    """f1_score of the official evaluation script of SQuAD 1.1, written again."""
    bags = []
    for text in (given, wanted):
        bare = "".join(letter for letter in text.lower() if letter not in string.punctuation)
        words = [word for word in re.sub(r"\b(a|an|the)\b", " ", bare).split() if word]
        bags.append(Counter(words))
    n_same = (bags[0] & bags[1]).total()
    return 2 * n_same / (bags[0].total() + bags[1].total()) if n_same else 0.0


# ---------------------------------------------------------------------- texts out
def written(folder: Path, texts: Sequence[str], max_length: int) -> list[str]:
    """What a model writes greedily for each text, one after the other."""
    model, tokenizer = model_of("AutoModelForSeq2SeqLM", folder), tokenizer_of(folder)
    found = []
    for text in texts:
        batch = tokenizer([text], truncation=True, max_length=max_length, return_tensors="pt")
        batch.pop("token_type_ids", None)
        out = model.generate(**batch, max_new_tokens=MAX_NEW_TOKENS, do_sample=False, num_beams=1)
        found.append(tokenizer.decode(out[0], skip_special_tokens=True).strip())
    return found


def rouge_l(folder: Path, data: Path) -> float:
    """The mean of rouge-score's rougeL with the best of the references."""
    from rouge_score.rouge_scorer import RougeScorer

    rows = [json.loads(line) for line in data.read_text("utf-8").splitlines()]
    found = written(folder, [row["dialogue"] for row in rows], 512)
    scorer = RougeScorer(["rougeL"])
    references = [[row[f"summary{n}"] for n in (1, 2, 3)] for row in rows]
    values = [
        scorer.score_multi(each, answer)["rougeL"].fmeasure
        for each, answer in zip(references, found, strict=True)
    ]
    return sum(values) / len(values)


def chrf(folder: Path, data: Path) -> float:
    """The mean of sacrebleu's chrF2 over sentences, divided by 100."""
    from sacrebleu import sentence_chrf

    given, wanted = (
        data.with_suffix(suffix).read_text("utf-8").splitlines() for suffix in (".en", ".de")
    )
    found = written(folder, given, 512)
    pairs = zip(found, wanted, strict=True)
    return sum(sentence_chrf(one, [other]).score / 100 for one, other in pairs) / len(wanted)
