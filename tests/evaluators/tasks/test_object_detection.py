"""Boxes with labels, by a small YOLOS that was taught where red and blue rectangles are."""

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from transformers import YolosConfig, YolosForObjectDetection
from transformers.models.yolos.image_processing_pil_yolos import YolosImageProcessorPil

from cache.errors import BadInput
from evaluators.answerers.objects import scored
from evaluators.measurement import CandidateFailed, State
from evaluators.plugins import task_method
from evaluators.quality.measures import measure_for
from evaluators.requests import request_of
from evaluators.samples import Samples, read_samples
from evaluators.task import Task
from evaluators.worker_process import Worker
from tests.conftest import nightly
from tests.evaluators.tasks.makers import built, found_on_a_hub, teach

METHOD = task_method("object-detection")
COLOURS = {"red": (230, 20, 20), "blue": (20, 20, 230)}
SHAPES = ((32, 32), (40, 32), (32, 48))
SIDE = 32
N_GUESSES = 3

Box = tuple[str, list[float]]


def picture(draw: random.Random) -> tuple[Any, list[Box]]:
    """A dark image with at most one rectangle of each colour: red on the left, above or below."""
    width, height = draw.choice(SHAPES)
    image = Image.new("RGB", (width, height), (draw.randrange(60),) * 3)
    boxes: list[Box] = []
    for right, (label, colour) in enumerate(COLOURS.items()):
        if draw.random() < 0.8:
            w, h = width // 2 - draw.randint(0, 2), height // 2 - draw.randint(0, 2)
            x, y = right * width // 2, draw.randint(0, 1) * height // 2
            ImageDraw.Draw(image).rectangle((x, y, x + w - 1, y + h - 1), fill=colour)
            boxes.append((label, [x, y, x + w, y + h]))
    return image, boxes


def make_detector(folder: Path, *, steps: int) -> Path:
    """A YOLOS whose first guess is the red one and whose second the blue one; random without
    steps. Its names differ from the data's in case."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    names = {0: "Red", 1: "BLUE"}
    model = YolosForObjectDetection(YolosConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        image_size=[SIDE, SIDE], patch_size=16, num_detection_tokens=N_GUESSES,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, initializer_range=0.15,
        use_mid_position_embeddings=False, id2label=names,
        label2id={name: at for at, name in names.items()},
    ))  # fmt: skip
    for name, weights in model.named_parameters():
        if name.endswith(("position_embeddings", "detection_tokens")):  # zeros would learn slowly
            torch.nn.init.normal_(weights, std=1.0)
    processor = YolosImageProcessorPil(size={"height": SIDE, "width": SIDE})
    draw = random.Random(3)
    pictures = [picture(draw) for _ in range(480 if steps else 1)]
    pixels = processor(images=[one for one, _ in pictures], return_tensors="pt")["pixel_values"]
    labels, places = wanted_guesses(pictures)

    def loss(chosen: Any) -> Any:
        def value(model: Any) -> Any:
            found, is_there = model(pixel_values=pixels[chosen]), labels[chosen] < len(names)
            named = torch.nn.functional.cross_entropy(
                found.logits.flatten(0, 1), labels[chosen].flatten()
            )
            return named + 5 * (found.pred_boxes - places[chosen])[is_there].abs().mean()

        return value

    batches = (torch.arange(24 * at, 24 * at + 24) % len(pictures) for at in range(steps))
    teach(model, (loss(chosen) for chosen in batches), rate=2e-3)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def wanted_guesses(pictures: Sequence[tuple[Any, list[Box]]]) -> tuple[Any, Any]:
    """Each guess's label, 2 for none, and its box as shares of the image."""
    labels = torch.full((len(pictures), N_GUESSES), len(COLOURS))
    places = torch.zeros(len(pictures), N_GUESSES, 4)
    for at, (image, boxes) in enumerate(pictures):
        for label, (x0, y0, x1, y1) in boxes:
            guess = list(COLOURS).index(label)
            labels[at, guess] = guess
            centre = torch.tensor([(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0])
            places[at, guess] = centre / torch.tensor([*image.size, *image.size])
    return labels, places


def write_coco(folder: Path, n: int, *, seed: int) -> Path:
    """Images in a folder and COCO's file about them."""
    draw = random.Random(seed)
    (folder / "images").mkdir(parents=True)
    names, images, annotations = list(COLOURS), [], []
    for at in range(n):
        image, boxes = picture(draw)
        image.save(folder / "images" / f"{at}.png")
        images.append({"id": at, "file_name": f"{at}.png", "width": image.width})
        for label, (x0, y0, x1, y1) in boxes:
            annotations.append({
                "id": len(annotations) + 1, "image_id": at, "category_id": names.index(label) + 1,
                "bbox": [x0, y0, x1 - x0, y1 - y0], "area": (x1 - x0) * (y1 - y0), "iscrowd": 0,
            })  # fmt: skip
    categories = [{"id": at, "name": name} for at, name in enumerate(names, start=1)]
    document = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "annotations.json").write_text(json.dumps(document), encoding="utf-8")
    return folder / "annotations.json"


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_detector(tmp_path_factory.mktemp("models") / "detector", steps=130)


@pytest.fixture(scope="module")
def coco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_coco(tmp_path_factory.mktemp("coco") / "data", 40, seed=1)


@pytest.fixture(scope="module")
def samples(coco: Path) -> Samples:
    return read_samples(coco, shape=None)


@pytest.fixture(scope="module")
def task(samples: Samples) -> Task:
    return METHOD.fitted(METHOD.settings(), samples)


def directly(
    source: Path, files: Sequence[Path], size: Mapping[str, int] | None = None
) -> list[list[dict[str, Any]]]:
    """By transformers alone, an image at a time, with its own post-processing."""
    processor = YolosImageProcessorPil.from_pretrained(source)
    model = YolosForObjectDetection.from_pretrained(source).eval()
    names, asked = {0: "red", 1: "blue"}, {"size": dict(size)} if size else {}
    found = []
    for file in files:
        image = Image.open(file).convert("RGB")
        with torch.inference_mode():
            outputs = model(**{"pixel_values": processor(images=image, return_tensors="pt", **asked)["pixel_values"]})  # noqa: E501  # fmt: skip
        (one,) = processor.post_process_object_detection(
            outputs, threshold=0.001, target_sizes=[(image.height, image.width)]
        )
        found.append([
            {"box": box.tolist(), "label": names[int(label)], "score": float(score)}
            for score, label, box in zip(one["scores"], one["labels"], one["boxes"], strict=True)
        ])  # fmt: skip
    return found


def check_alike(answer: str, expected: Sequence[Mapping[str, Any]], atol: float = 2e-3) -> None:
    """The same boxes, best first; to a few thousandths of a pixel."""
    found, best_first = json.loads(answer), sorted(expected, key=lambda one: -one["score"])
    assert [one["label"] for one in found] == [one["label"] for one in best_first]
    for ours, theirs in zip(found, best_first, strict=True):
        np.testing.assert_allclose(ours["box"], theirs["box"], atol=atol)
        assert ours["score"] == pytest.approx(theirs["score"], abs=1e-4)


@pytest.mark.parametrize("recipe", ["torch-fp32", "onnxruntime-fp32"])
def test_boxes_and_the_score_are_those_of_a_direct_computation(
    detector: Path, samples: Samples, task: Task, coco: Path, worker: Worker, tmp_path: Path,
    recipe: str,
) -> None:  # fmt: skip
    """Labels in the data's spelling, corners in the pixels of each image; map as pycocotools."""
    requests = [request_of(row) for row in samples.rows]
    worker.load(built(worker, detector, tmp_path, recipe, task, requests[:3]))
    answers = worker.answers(requests, batch_size=4).texts
    expected = directly(detector, [Path(str(row.file)) for row in samples.rows])
    for answer, objects in zip(answers, expected, strict=True):
        check_alike(answer, objects)
    truths = [row.label for row in samples.rows]
    for name, place in (("map", 0), ("map@50", 1)):
        value = measure_for("object-detection", name).value(answers, truths)
        assert value == pytest.approx(by_pycocotools(coco, expected)[place], abs=1e-3)
    assert measure_for("object-detection", "map@50").value(answers, truths) > 0.5


def by_pycocotools(coco: Path, found: Sequence[Sequence[Mapping[str, Any]]]) -> Any:
    """The twelve numbers of COCO, from its own file and results in its own form."""
    truth = COCO(str(coco))
    results = [
        {
            "image_id": at,
            "category_id": list(COLOURS).index(one["label"]) + 1,
            "bbox": [*one["box"][:2], one["box"][2] - one["box"][0], one["box"][3] - one["box"][1]],
            "score": one["score"],
        }
        for at, objects in enumerate(found)
        for one in objects
    ]
    evaluation = COCOeval(truth, truth.loadRes(results), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation.stats


def test_the_size_of_images_is_a_setting(
    detector: Path, samples: Samples, task: Task, worker: Worker, tmp_path: Path
) -> None:
    """Height before width; boxes stay in the pixels of the image as it is given."""
    options = {**task.options, "image_size": [48, 64]}
    wider = Task(task.name, task.max_length, task.batch_size, options)
    rows = samples.rows[:3]
    requests = [request_of(row) for row in rows]
    worker.load(built(worker, detector, tmp_path, "torch-fp32", wider, requests))
    found = worker.answers(requests).texts
    files = [Path(str(row.file)) for row in rows]
    for answer, objects in zip(found, directly(detector, files, {"height": 48, "width": 64}), strict=True):  # noqa: E501  # fmt: skip
        check_alike(answer, objects)


def test_images_that_keep_their_shapes_change_nothing_in_each_other(
    detector: Path, samples: Samples, task: Task, worker: Worker, tmp_path: Path
) -> None:
    """A batch of several shapes is not padded: one image or many, the boxes are the same."""
    source = tmp_path / "model"
    source.mkdir()
    for file in detector.iterdir():
        (source / file.name).write_bytes(file.read_bytes())
    YolosImageProcessorPil(size={"shortest_edge": 32, "longest_edge": 64}).save_pretrained(source)
    requests = [request_of(row) for row in samples.rows[:12]]
    worker.load(built(worker, source, tmp_path, "torch-fp32", task, requests))
    alone, many = (worker.answers(requests, batch_size=n).texts for n in (1, 12))
    for one, other in zip(alone, many, strict=True):
        check_alike(one, json.loads(other), atol=1e-3)


def test_few_boxes_pass_a_high_threshold(
    detector: Path, samples: Samples, worker: Worker, tmp_path: Path
) -> None:
    """The threshold is a setting too."""
    options = {"threshold": 0.6, "labels": ["blue"]}
    strict = Task(METHOD.name, 0, 4, options)
    requests = [request_of(row) for row in samples.rows]
    worker.load(built(worker, detector, tmp_path, "torch-fp32", strict, requests[:2]))
    found = [one for text in worker.answers(requests).texts for one in json.loads(text)]
    assert found
    assert all(one["score"] > 0.6 and one["label"] == "blue" for one in found)


def test_heads_with_a_sigmoid_score_every_label_of_every_guess() -> None:
    """No output means no object there, as in Deformable DETR and RT-DETR."""
    guesses, outputs, scores = scored(np.array([[0.0, 2.0], [-1.0, 5.0]], np.float32), 2)
    assert (guesses.tolist(), outputs.tolist()) == ([0, 0, 1, 1], [0, 1, 0, 1])
    np.testing.assert_allclose(scores, 1 / (1 + np.exp([0.0, -2.0, 1.0, -5.0])))


@pytest.mark.parametrize(
    ("outputs", "names", "missing"),
    [
        (("Traffic Light", "cat"), ("traffic_light", "cat"), ()),
        (("cat", "N/A"), ("cat", None), ("traffic_light",)),
    ],
    ids=["spelled otherwise", "lacking"],
)
def test_labels_are_matched_by_their_names(
    outputs: tuple[str, ...], names: tuple[str | None, ...], missing: tuple[str, ...]
) -> None:
    """What the model cannot find is listed, and what the data lacks."""
    task = Task(METHOD.name, options={"labels": ["cat", "traffic_light"]})
    found = METHOD.label_map(outputs, task)
    assert found is not None
    assert (found.names, found.missing) == (names, missing)


def test_a_model_without_any_of_the_labels_is_refused() -> None:
    """Both lists are in the reason."""
    task = Task(METHOD.name, options={"labels": ["cat"]})
    with pytest.raises(CandidateFailed, match="finds 'dog', the data has 'cat'") as failure:
        METHOD.label_map(("dog",), task)
    assert failure.value.state is State.LABEL_MISMATCH


@pytest.mark.parametrize("options", [{"threshold": 2}, {"image_size": "big"}, {"image_size": [1]}])
def test_settings_that_mean_nothing_are_refused(samples: Samples, options: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="for example"):
        METHOD.fitted(Task(METHOD.name, options={"threshold": 0.5, **options}), samples)


@nightly
def test_a_search_finds_the_detector_that_knows(
    detector: Path, coco: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """End to end, by a Hub; the random one is not chosen. Every fifth image is labelled wrongly:
    without any error there is no spread, and so no approximate bound."""
    rows = read_samples(write_coco(tmp_path / "data", 120, seed=5), shape=None).rows
    data = [
        {"image": row.file, "objects": row.label if at % 5 else row.label.replace("red", "blue")}
        for at, row in enumerate(rows)
    ]
    models = {"good": detector, "guessing": make_detector(tmp_path / "guessing", steps=0)}
    answer = found_on_a_hub(
        models, data, "map@50 >= 0.3", tmp_path, monkeypatch, tag="object-detection"
    )
    assert answer.choice is not None
    assert answer.choice.model == "team/good"
    assert answer.choice.labels is not None
    assert answer.choice.labels.names == ("red", "blue")
