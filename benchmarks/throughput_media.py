"""The cases of benchmarks/throughput.py whose rows are images and sounds.

Where the zoo has no model of a realistic size, one is made whose weights are random.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import task_data as data
import task_models as models
import task_scores as scores
import torch
import transformers
from throughput_case import Case, argmax_equal, as_json, by_length, settings, share_equal
from transformers import AutoFeatureExtractor, AutoImageProcessor, AutoTokenizer, pipeline

N_IMAGES, N_SCENES = 800, 32
N_SOUNDS, N_WHISPERED = 120, 8
N_NEW = 20


def cases(folder: Path, root: Path) -> Mapping[str, Callable[[], Case]]:
    """By name, what makes each case; those of images need Fashion-MNIST."""
    place = data.fashion(folder, root, N_IMAGES)
    files = [] if place is None else sorted(place.glob("*/*.png"))
    seen: dict[str, Callable[[], Case]] = {
        **{f"image-classification: {name}": partial(gray_images, name, files)
           for name in ("fmnist-resnet-s", "fmnist-vit-xs")},
        "image-classification: ViT, 96 wide, 224 x 224": partial(images, folder, files[:160]),
        "object-detection: YOLOS, 192 wide, 256 x 256": partial(scenes, folder, files),
    }  # fmt: skip
    return {
        **(seen if files else {}),
        "audio-classification: AST, 64 wide": partial(sounds, folder),
        "automatic-speech-recognition: wav2vec 2.0, 256 wide": partial(spelled, folder),
        "automatic-speech-recognition: Whisper, tiny": partial(written, folder),
    }


# ---------------------------------------------------------------------- images
def gray_images(name: str, files: Sequence[Path]) -> Case:
    """Pipelines make every image coloured, which a processor of one channel refuses: for them it
    is made gray again."""
    source = data.ZOO / name
    processor = AutoImageProcessor.from_pretrained(source)

    def gray(images: Any, return_tensors: str) -> Any:
        return processor(images=images.convert("L"), return_tensors=return_tensors)

    return classified_images(source, files, "L", gray)


def images(folder: Path, files: Sequence[Path]) -> Case:
    """Models that see colours, and images that are brought to their size."""
    source = folder / "photos"
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=96, num_hidden_layers=2, num_attention_heads=3, intermediate_size=192,
        **models.named_outputs(list(data.FASHION_CLASSES)),
    )  # fmt: skip
    processor = {"image_processor_type": "ViTImageProcessor"}
    save_seeing(source, transformers.ViTForImageClassification(config), processor)
    return classified_images(source, files, "RGB")


def save_seeing(source: Path, model: Any, processor: Mapping[str, Any]) -> None:
    """A repository of a model and its image processor."""
    models.save(source, model.eval().float())
    (source / "preprocessor_config.json").write_text(json.dumps(processor), encoding="utf-8")


def opened(file: Path, mode: str) -> Any:
    from PIL import Image

    with Image.open(file) as image:
        return image.convert(mode)


def classified_images(
    source: Path, files: Sequence[Path], mode: str, processor_of_pipeline: Any = None
) -> Case:
    task = settings("image-classification")
    model = scores.model_of("AutoModelForImageClassification", source)
    processor = AutoImageProcessor.from_pretrained(source)
    pipe = pipeline("image-classification", model=model, image_processor=processor)
    pipe.image_processor = processor_of_pipeline or processor

    def run(rows: Sequence[Path]) -> list[int]:
        found: list[int] = []
        for start in range(0, len(rows), task.batch_size):
            part = [opened(file, mode) for file in rows[start : start + task.batch_size]]
            out = model(**processor(images=part, return_tensors="pt"))
            found += out.logits.argmax(dim=1).tolist()
        return found

    return Case(
        source, files, task,
        lambda file: as_json({"image": str(file)}), run, argmax_equal,
        lambda rows, size: pipe([opened(file, mode) for file in rows], batch_size=size, top_k=1),
    )  # fmt: skip


def scenes(folder: Path, files: Sequence[Path]) -> Case:
    """Four things in each scene, and every guess with a score above 0.001 as a box."""
    places = write_scenes(folder / "scenes", files[: 4 * N_SCENES])
    source, task = folder / "yolos", settings("object-detection", labels=["bag", "shoe"])
    torch.manual_seed(0)
    config = transformers.YolosConfig(
        hidden_size=192, num_hidden_layers=4, num_attention_heads=3, intermediate_size=768,
        image_size=[256, 256], num_detection_tokens=100, use_mid_position_embeddings=False,
        **models.named_outputs(["bag", "shoe"]),
    )  # fmt: skip
    processor = {
        "image_processor_type": "YolosImageProcessor", "size": {"height": 256, "width": 256},
    }  # fmt: skip
    save_seeing(source, transformers.YolosForObjectDetection(config), processor)
    model = scores.model_of("AutoModelForObjectDetection", source)
    loaded = AutoImageProcessor.from_pretrained(source)
    pipe = pipeline("object-detection", model=model, image_processor=loaded)

    def run(rows: Sequence[Path]) -> list[Any]:
        found: list[Any] = []
        for start in range(0, len(rows), task.batch_size):
            part = [opened(file, "RGB") for file in rows[start : start + task.batch_size]]
            out = model(**loaded(images=part, return_tensors="pt"))
            sizes = [image.size[::-1] for image in part]
            found += loaded.post_process_object_detection(out, 0.001, sizes)
        return [round(float(one["scores"].max()), 4) for one in found]

    return Case(
        source, places, task, lambda file: as_json({"image": str(file)}), run,
        lambda ours, theirs: share_equal(
            [round(json.loads(one)[0]["score"], 4) for one in ours], theirs),
        lambda rows, size: pipe([opened(file, "RGB") for file in rows], batch_size=size,
                                threshold=0.001),
    )  # fmt: skip


def write_scenes(folder: Path, files: Sequence[Path]) -> list[Path]:
    """Four images side by side in one of 320 x 240 pixels, each three times as large."""
    from PIL import Image

    folder.mkdir()
    found = []
    for at in range(0, len(files), 4):
        scene = Image.new("RGB", (320, 240))
        for place, file in zip(((20, 20), (180, 40), (40, 130), (200, 140)), files[at : at + 4],
                               strict=True):  # fmt: skip
            scene.paste(opened(file, "RGB").resize((84, 84)), place)
        found.append(folder / f"{at:04}.png")
        scene.save(found[-1])
    return found


# ---------------------------------------------------------------------- sounds
def digits(folder: Path, n: int) -> list[Path]:
    """Recordings of spoken digits."""
    folder.mkdir(exist_ok=True)
    return [file for file, _ in data.spoken_digits(folder)[1]][:n]


def waves_of(rows: Sequence[Path], rate: int) -> list[Any]:
    return [models.read_wave(file, rate) for file in rows]


def heard(pipe: Any, rate: int, **how: Any) -> Callable[[Sequence[Path], int], Any]:
    """What a pipeline makes of sounds that are read for it."""

    def run(rows: Sequence[Path], size: int) -> Any:
        asked = [{"raw": wave, "sampling_rate": rate} for wave in waves_of(rows, rate)]
        return pipe(asked, batch_size=size, **how)

    return run


def as_request(file: Path) -> str:
    return as_json({"audio": str(file)})


def texts_equal(ours: Sequence[str], theirs: Sequence[str]) -> str:
    return share_equal([json.loads(one) for one in ours], theirs)


def sounds(folder: Path) -> Case:
    _, train = data.spoken_digits(folder)
    source = models.sound_classifiers(folder / "sounds", train, (64,), epochs=1) / "digits-ast-w64"
    task = settings("audio-classification")
    model = scores.model_of("AutoModelForAudioClassification", source)
    extractor = AutoFeatureExtractor.from_pretrained(source)
    pipe = pipeline("audio-classification", model=model, feature_extractor=extractor)
    rate = extractor.sampling_rate

    def run(rows: Sequence[Path]) -> list[int]:
        waves = waves_of(rows, rate)
        found = [0] * len(rows)
        for at in by_length([len(wave) for wave in waves], task.batch_size):
            batch = extractor([waves[n] for n in at], sampling_rate=rate, return_tensors="pt")
            for n, output in zip(at, model(**batch).logits.argmax(dim=1).tolist(), strict=True):
                found[n] = output
        return found

    return Case(
        source, digits(folder / "heard", N_SOUNDS), task, as_request, run, argmax_equal,
        heard(pipe, rate),
    )  # fmt: skip


def spelled(folder: Path) -> Case:
    """A model of letters, wav2vec 2.0's base but for its width (256 of 768) and depth (4 of 12)."""
    source = folder / "spelling"
    save_speller(source)
    task = settings("automatic-speech-recognition")
    model = scores.model_of("AutoModelForCTC", source)
    extractor = AutoFeatureExtractor.from_pretrained(source)
    tokenizer = AutoTokenizer.from_pretrained(source)
    pipe = pipeline(task.name, model=model, tokenizer=tokenizer, feature_extractor=extractor)
    rate = extractor.sampling_rate

    def run(rows: Sequence[Path]) -> list[str]:
        waves = waves_of(rows, rate)
        found = [""] * len(rows)
        for at in by_length([len(wave) for wave in waves], task.batch_size):
            batch = extractor([waves[n] for n in at], sampling_rate=rate, padding=True,
                              return_tensors="pt")  # fmt: skip
            letters = model(**batch).logits.argmax(dim=2)
            lasts = model._get_feat_extract_output_lengths(batch["attention_mask"].sum(dim=1))
            for n, line, last in zip(at, letters, lasts.tolist(), strict=True):
                found[n] = tokenizer.decode(line[:last]).strip()
        return found

    rows = digits(folder / "spelled", N_SOUNDS)
    return Case(source, rows, task, as_request, run, texts_equal, heard(pipe, rate))


def save_speller(source: Path) -> None:
    """A repository of a random model of 32 letters."""
    letters = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ'"]
    torch.manual_seed(0)
    model = transformers.Wav2Vec2ForCTC(transformers.Wav2Vec2Config(
        vocab_size=len(letters), hidden_size=256, num_hidden_layers=4, num_attention_heads=4,
        intermediate_size=1024, conv_dim=(256,) * 7, feat_extract_norm="layer", conv_bias=True,
        do_stable_layer_norm=True, pad_token_id=0,
    ))  # fmt: skip
    models.save(
        source,
        model.eval().float(),
        transformers.Wav2Vec2FeatureExtractor(return_attention_mask=True),
    )
    vocabulary = source / "letters.json"
    vocabulary.write_text(json.dumps({letter: at for at, letter in enumerate(letters)}))
    transformers.Wav2Vec2CTCTokenizer(str(vocabulary)).save_pretrained(source)


def written(folder: Path) -> Case:
    """A model that writes, Whisper's smallest but for its 2,000 words; 20 tokens each."""
    source = folder / "whisper"
    save_whisper(source)
    task = settings("automatic-speech-recognition", max_new_tokens=N_NEW)
    model = scores.model_of("AutoModelForSpeechSeq2Seq", source)
    extractor = AutoFeatureExtractor.from_pretrained(source)
    tokenizer = AutoTokenizer.from_pretrained(source)
    pipe = pipeline(task.name, model=model, tokenizer=tokenizer, feature_extractor=extractor)
    rate, how = extractor.sampling_rate, {"max_new_tokens": N_NEW, "do_sample": False}

    def run(rows: Sequence[Path]) -> list[str]:
        found: list[str] = []
        for start in range(0, len(rows), task.batch_size):
            waves = waves_of(rows[start : start + task.batch_size], rate)
            batch = extractor(waves, sampling_rate=rate, return_tensors="pt")
            out = model.generate(**batch, **how)
            found += tokenizer.batch_decode(out, skip_special_tokens=True)
        return [text.strip() for text in found]

    rows = digits(folder / "written", N_WHISPERED)
    return Case(
        source, rows, task, as_request, run, texts_equal, heard(pipe, rate, generate_kwargs=how)
    )


def save_whisper(source: Path) -> None:
    """A repository of a random model for English, which ends no text by itself."""
    words = json.loads(models.word_pieces(data.captions("val.en")).backend_tokenizer.to_str())
    told = words["model"]
    vocabulary = {word: at for word, at in told["vocab"].items() if at > 2}
    special = ["<|endoftext|>", "<|startoftranscript|>", "<|notimestamps|>"]
    tokenizer = transformers.WhisperTokenizer(
        {**dict(zip(special, range(3), strict=True)), **vocabulary},
        [tuple(merge) for merge in told["merges"]],
        pad_token="<|endoftext|>",
    )
    torch.manual_seed(0)
    model = transformers.WhisperForConditionalGeneration(transformers.WhisperConfig(
        vocab_size=len(tokenizer), d_model=384, encoder_layers=4, decoder_layers=4,
        encoder_attention_heads=6, decoder_attention_heads=6, encoder_ffn_dim=1536,
        decoder_ffn_dim=1536, pad_token_id=0, bos_token_id=0, eos_token_id=0,
        decoder_start_token_id=1, suppress_tokens=None, begin_suppress_tokens=None,
    ))  # fmt: skip
    models.save(source, model.eval().float(), transformers.WhisperFeatureExtractor(), tokenizer)
