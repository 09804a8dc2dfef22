"""The cases of benchmarks/throughput.py whose rows are texts, and the list of all cases."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import task_data as data
import task_models as models
import task_scores as scores
import throughput_media as media
import torch
import transformers
from throughput_case import (
    Case,
    argmax_equal,
    as_json,
    best_output,
    by_length,
    greatest_difference,
    settings,
    share_equal,
    tokens_loop,
)
from tokenizers.processors import TemplateProcessing
from transformers import AutoTokenizer, pipeline

N_NEW = 20


def cases(folder: Path, root: Path) -> dict[str, Callable[[], Case]]:
    """By name, what makes each case when its turn comes."""
    texts = sst2()
    zoo = {"sst2-nano-l1-h32-v2k": 1500, "sst2-l2-v8k-kd": 400}
    return {
        **{f"text-classification: {name}": partial(sentiment, name, [Text(t) for t in texts[:n]])
           for name, n in zoo.items()},
        "zero-shot-classification: MiniLM, 2 layers, 4 labels":
            partial(zero_shot, folder, [Text(text) for text in texts[:64]]),
        "token-classification: ner-l1-v8k": entities,
        "sentence-similarity: MiniLM, 3 layers": partial(similarity, folder),
        "fill-mask: MiniLM, 2 layers": partial(gaps, folder, [Text(text) for text in texts[:64]]),
        "text-ranking: MiniLM, 2 layers, 8 documents": partial(ranking, folder, texts),
        "question-answering: MiniLM, 2 layers": partial(questions, folder),
        "translation: T5, 64 wide, 20 tokens": partial(translation, folder),
        "text-generation: Llama, 128 wide, 20 tokens": partial(generation, folder),
        **media.cases(folder, root),
    }  # fmt: skip


class Text(str):
    """A text that is an object of its own, even where another is equal to it."""

    __slots__ = ()


def sst2() -> list[str]:
    """Sentences of the dev and test parts."""
    parts = [(data.DATA / "sst2" / name).read_text("utf-8") for name in ("dev.tsv", "test.tsv")]
    return [line.rpartition("\t")[0] for part in parts for line in part.splitlines()]


# ---------------------------------------------------------------------- texts in
def sentiment(name: str, texts: Sequence[str]) -> Case:
    source, task = data.ZOO / name, settings("text-classification")
    model = scores.model_of("AutoModelForSequenceClassification", source)
    tokenizer = AutoTokenizer.from_pretrained(source)
    pipe = pipeline("text-classification", model=model, tokenizer=tokenizer)
    return Case(
        source, texts, task, str,
        tokens_loop(model, tokenizer, task.batch_size, best_output), argmax_equal,
        lambda rows, size: pipe(list(rows), batch_size=size, truncation=True, max_length=512),
    )  # fmt: skip


def with_head(folder: Path, kind: Any, name: str, **named: Any) -> Path:
    """A repository of MiniLM's first two layers with a random head."""
    place = folder / name
    models.save(place, models.first_layers(kind, 2, **named).float(),
                AutoTokenizer.from_pretrained(models.minilm()))  # fmt: skip
    return place


def zero_shot(folder: Path, texts: Sequence[str]) -> Case:
    outputs = models.named_outputs(["contradiction", "neutral", "entailment"])
    source = with_head(folder, transformers.BertForSequenceClassification, "nli", **outputs)
    labels = ["comedy", "drama", "horror", "romance"]
    template = "This example is {}."
    asked = [template.format(label) for label in labels]
    task = settings("zero-shot-classification", labels=labels, hypotheses=asked)
    model = scores.model_of("AutoModelForSequenceClassification", source)
    tokenizer = AutoTokenizer.from_pretrained(source)
    pipe = pipeline("zero-shot-classification", model=model, tokenizer=tokenizer)
    loop = tokens_loop(model, tokenizer, task.batch_size * len(labels),
                       lambda out, _rows, _made: out.logits[:, 2].tolist())  # fmt: skip

    def run(rows: Sequence[str]) -> list[int]:
        found = loop([text for text in rows for _ in asked], asked * len(rows))
        return torch.tensor(found).reshape(len(rows), len(labels)).argmax(dim=1).tolist()

    return Case(
        source, texts, task, str, run,
        argmax_equal, lambda rows, size: pipe(list(rows), labels, batch_size=size),
    )  # fmt: skip


def entities() -> Case:
    source = data.ZOO / "ner-l1-v8k"
    rows = [words for words, _ in scores.columns(data.DATA / "wnut17" / "emerging.dev.conll")][:500]
    task = settings("token-classification", types=["person", "location"])
    model = scores.model_of("AutoModelForTokenClassification", source)
    tokenizer = AutoTokenizer.from_pretrained(source)
    pipe = pipeline("token-classification", model=model, tokenizer=tokenizer)
    names = scores_names(model)

    def tags(out: Any, at: list[int], made: Any) -> list[list[str]]:
        outputs = out.logits.argmax(dim=2).tolist()
        found = []
        for row, line in zip(at, outputs, strict=True):
            told: dict[int, str] = {}
            for word, output in zip(made[0].word_ids(row), line, strict=False):
                if word is not None and word not in told:
                    told[word] = names[output]
            found.append([told[word] for word in sorted(told)])
        return found

    loop = tokens_loop(model, tokenizer, task.batch_size, tags, is_split_into_words=True)
    sentences = {id(row): " ".join(row) for row in rows}
    return Case(
        source, rows, task,
        lambda row: as_json({"tokens": row}), loop,
        lambda ours, theirs: share_equal([json.loads(one) for one in ours],
                                         [scored(one) for one in theirs]),
        lambda rows, size: pipe([sentences[id(row)] for row in rows], batch_size=size),
    )  # fmt: skip


def scores_names(model: Any) -> list[str]:
    """The data's tag of each output."""
    names = {"PER": "person", "LOC": "location"}
    found = []
    for at in range(len(model.config.id2label)):
        prefix, _, kind = model.config.id2label[at].partition("-")
        found.append(f"{prefix}-{names[kind]}" if kind in names else "O")
    return found


def scored(tags: Sequence[str]) -> list[str]:
    """Tags in IOB2: what continues nothing begins something."""
    found: list[str] = []
    for tag in tags:
        before = found[-1] if found else "O"
        continues = tag.startswith("I-") and before[2:] == tag[2:]
        found.append(tag if continues or tag == "O" else f"B-{tag[2:]}")
    return found


def similarity(folder: Path) -> Case:
    source = models.encoders(folder / "encoders", (3,)) / "minilm-l3"
    lines = (data.DATA / "stsb" / "dev.tsv").read_text("utf-8").splitlines()[1:301]
    rows = [tuple(line.split("\t")[7:9]) for line in lines]
    task = settings("sentence-similarity")
    model = scores.model_of("AutoModel", source)
    tokenizer = AutoTokenizer.from_pretrained(source)
    pipe = pipeline("feature-extraction", model=model, tokenizer=tokenizer)

    def means(out: Any, _rows: list[int], made: Any) -> list[Any]:
        mask = made[1]["attention_mask"][..., None]
        return list((out.last_hidden_state * mask).sum(1) / mask.sum(1))

    loop = tokens_loop(model, tokenizer, task.batch_size, means)

    def run(pairs: Sequence[tuple[str, str]]) -> list[float]:
        texts = list(dict.fromkeys(text for pair in pairs for text in pair))
        vectors = dict(zip(texts, loop(texts), strict=True))
        first, second = (torch.stack([vectors[pair[at]] for pair in pairs]) for at in (0, 1))
        found: list[float] = torch.nn.functional.cosine_similarity(first, second).tolist()
        return found

    def pipelined(pairs: Sequence[tuple[str, str]], size: int) -> Any:
        texts = list(dict.fromkeys(text for pair in pairs for text in pair))
        return pipe(texts, batch_size=size, return_tensors=True)

    return Case(
        source, rows, task,
        lambda row: as_json({"text": row[0], "text_pair": row[1]}), run,
        lambda ours, theirs: greatest_difference([float(one) for one in ours], theirs), pipelined,
    )  # fmt: skip


def gaps(folder: Path, texts: Sequence[str]) -> Case:
    source = with_head(folder, transformers.BertForMaskedLM, "mlm")
    task = settings("fill-mask")
    model = scores.model_of("AutoModelForMaskedLM", source)
    tokenizer = AutoTokenizer.from_pretrained(source)
    pipe = pipeline("fill-mask", model=model, tokenizer=tokenizer)
    rows = [Text(masked(text)) for text in texts]

    def words(out: Any, _rows: list[int], made: Any) -> list[list[str]]:
        places = (made[1]["input_ids"] == tokenizer.mask_token_id).int().argmax(dim=1)
        logits = out.logits[torch.arange(len(places)), places]
        best = logits.topk(10).indices.tolist()
        return [[tokenizer.decode([token]) for token in line] for line in best]

    return Case(
        source, rows, task, lambda row: as_json({"text": row}),
        tokens_loop(model, tokenizer, task.batch_size, words),
        lambda ours, theirs: share_equal([json.loads(one)[:1] for one in ours],
                                         [one[:1] for one in theirs]),
        lambda rows, size: pipe(list(map(str, rows)), batch_size=size, top_k=10),
    )  # fmt: skip


def masked(text: str) -> str:
    """The text with a gap in the place of its middle word."""
    words = text.split()
    words[len(words) // 2] = "[MASK]"
    return " ".join(words)


def ranking(folder: Path, texts: Sequence[str]) -> Case:
    source = with_head(folder, transformers.BertForSequenceClassification, "ranker", num_labels=1)
    task = settings("text-ranking")
    model = scores.model_of("AutoModelForSequenceClassification", source)
    tokenizer = AutoTokenizer.from_pretrained(source)
    pipe = pipeline("text-classification", model=model, tokenizer=tokenizer)
    rows = [(texts[at], texts[at + 1 : at + 9]) for at in range(0, 450, 9)]
    loop = tokens_loop(model, tokenizer, task.batch_size,
                       lambda out, _rows, _made: out.logits[:, 0].tolist())  # fmt: skip

    def pairs_of(rows: Sequence[Any]) -> tuple[list[str], list[str]]:
        pairs = [(query, document) for query, documents in rows for document in documents]
        return [query for query, _ in pairs], [document for _, document in pairs]

    def pipelined(rows: Sequence[Any], size: int) -> Any:
        queries, documents = pairs_of(rows)
        asked = [{"text": a, "text_pair": b} for a, b in zip(queries, documents, strict=True)]
        return pipe(asked, batch_size=size, function_to_apply="none")

    return Case(
        source, rows, task,
        lambda row: as_json({"query": row[0], "documents": row[1]}),
        lambda rows: loop(*pairs_of(rows)),
        lambda ours, theirs: greatest_difference(
            [score for one in ours for score in json.loads(one)], theirs),
        pipelined,
    )  # fmt: skip


def questions(folder: Path) -> Case:
    source = with_head(folder, transformers.BertForQuestionAnswering, "reader")
    task = settings("question-answering")
    told = json.loads((data.DATA / "xquad" / "xquad.en.json").read_text("utf-8"))
    rows = data.questions(told)[:60]
    model = scores.model_of("AutoModelForQuestionAnswering", source)
    tokenizer = AutoTokenizer.from_pretrained(source)

    def run(rows: Sequence[Mapping[str, Any]]) -> list[str]:
        made = tokenizer([row["question"] for row in rows], [row["context"] for row in rows],
                         truncation="only_second", max_length=384, stride=128,
                         return_overflowing_tokens=True, return_offsets_mapping=True)  # fmt: skip
        best: list[tuple[float, str]] = [(-float("inf"), "")] * len(rows)
        names = ("input_ids", "attention_mask", "token_type_ids")
        for at in by_length([len(ids) for ids in made["input_ids"]], task.batch_size):
            batch = tokenizer.pad({name: [made[name][n] for n in at] for name in names},
                                  return_tensors="pt")  # fmt: skip
            out = model(**batch)
            for n, starts, ends in zip(at, out.start_logits, out.end_logits, strict=True):
                row = made["overflow_to_sample_mapping"][n]
                found = best_text(made, n, starts, ends, rows[row]["context"])
                best[row] = max(best[row], found, key=lambda one: one[0])
        return [text for _, text in best]

    return Case(
        source, rows, task,
        lambda row: as_json({"context": row["context"], "question": row["question"]}), run,
        lambda ours, theirs: share_equal([json.loads(one) for one in ours], theirs),
    )  # fmt: skip


def best_text(made: Any, n: int, starts: Any, ends: Any, context: str) -> tuple[float, str]:
    """The best span of a window, of at most 30 tokens, and its score."""
    places = [at for at, part in enumerate(made.sequence_ids(n)) if part == 1]
    first, stop = places[0], places[-1] + 1
    sums = starts[first:stop, None] + ends[None, first:stop]
    allowed = torch.ones_like(sums).triu().tril(29).bool()
    flat = int(sums.masked_fill(~allowed, -torch.inf).argmax())
    start, end = divmod(flat, stop - first)
    offsets = made["offset_mapping"][n]
    text = context[offsets[first + start][0] : offsets[first + end][1]]
    return float(sums[start, end]), text


# ---------------------------------------------------------------------- texts out
def translation(folder: Path) -> Case:
    pairs = list(zip(data.captions("val.en"), data.captions("val.de"), strict=True))
    source = (
        models.writers(folder / "writers", pairs, (64,), epochs=1, task="translation") / "t5-w64"
    )
    task = settings("translation", max_new_tokens=20)
    rows = [Text(text) for text in data.captions("test_2016_flickr.en")[:64]]
    model = scores.model_of("AutoModelForSeq2SeqLM", source)
    tokenizer = AutoTokenizer.from_pretrained(source)

    def run(rows: Sequence[str]) -> list[str]:
        made = tokenizer(list(rows), truncation=True, max_length=512)["input_ids"]
        found = [""] * len(rows)
        for at in by_length([len(ids) for ids in made], task.batch_size):
            batch = tokenizer.pad({"input_ids": [made[n] for n in at]}, return_tensors="pt")
            out = model.generate(**batch, max_new_tokens=20, do_sample=False)
            for n, text in zip(at, tokenizer.batch_decode(out, skip_special_tokens=True),
                               strict=True):  # fmt: skip
                found[n] = text.strip()
        return found

    return Case(
        source, rows, task, str, run,
        lambda ours, theirs: share_equal([json.loads(one) for one in ours], theirs),
    )  # fmt: skip


def generation(folder: Path) -> Case:
    """Captions, gone on with by a decoder that ends none of them by itself."""
    texts = data.captions("test_2016_flickr.en")[:64]
    source, task = folder / "llama", settings("text-generation", max_new_tokens=N_NEW)
    save_decoder(source, texts)
    model = scores.model_of("AutoModelForCausalLM", source)
    tokenizer = AutoTokenizer.from_pretrained(source, padding_side="left")
    pipe = pipeline("text-generation", model=model, tokenizer=tokenizer)
    how = {"max_new_tokens": N_NEW, "do_sample": False}

    def run(rows: Sequence[str]) -> list[str]:
        made = tokenizer(list(rows), truncation=True, max_length=512)["input_ids"]
        found = [""] * len(rows)
        for at in by_length([len(ids) for ids in made], task.batch_size):
            batch = tokenizer.pad({"input_ids": [made[n] for n in at]}, return_tensors="pt")
            out = model.generate(**batch, **how)[:, batch["input_ids"].shape[1] :]
            for n, text in zip(at, tokenizer.batch_decode(out, skip_special_tokens=True),
                               strict=True):  # fmt: skip
                found[n] = text
        return found

    return Case(
        source, [Text(text) for text in texts], task, lambda row: as_json({"text": row}), run,
        lambda ours, theirs: share_equal([json.loads(one) for one in ours], theirs),
        lambda rows, size: pipe(list(map(str, rows)), batch_size=size, return_full_text=False,
                                **how),
    )  # fmt: skip


def save_decoder(source: Path, texts: Sequence[str]) -> None:
    """A repository of a random Llama of four layers, with a tokenizer made of the texts."""
    tokenizer = models.word_pieces(texts)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single="$A")
    torch.manual_seed(0)
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=128, intermediate_size=384, num_hidden_layers=4,
        num_attention_heads=4, num_key_value_heads=4, max_position_embeddings=512,
        bos_token_id=None, eos_token_id=1, pad_token_id=0,
    ))  # fmt: skip
    models.save(source, model.eval().float(), tokenizer)
