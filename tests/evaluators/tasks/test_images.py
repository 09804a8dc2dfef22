"""Images by their class, on a small network that was taught which half is bright."""

import random
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from PIL import Image
from transformers import ResNetConfig, ResNetForImageClassification, ViTImageProcessor

from cache.errors import BadInput
from catalog.testing import LoopbackHub
from evaluators.media import read_image
from evaluators.plugins import task_method
from evaluators.requests import request_of
from evaluators.samples import read_samples
from evaluators.worker_process import Worker
from recommender import find
from tests.evaluators.tasks.makers import built, teach

TASK = task_method("image-classification").settings()
SIDES = ("left", "right")
SIZE = 12


def picture(side: str, draw: random.Random) -> np.ndarray:
    """Noise whose one half is brighter; sometimes hardly."""
    noise = np.random.default_rng(draw.randrange(10**9)).integers(0, 120, (SIZE, SIZE))
    half = slice(0, SIZE // 2) if side == "left" else slice(SIZE // 2, SIZE)
    noise[:, half] += 60
    return noise.astype(np.uint8)


def write_pictures(folder: Path, n: int, *, seed: int) -> Path:
    """A folder of classes."""
    draw = random.Random(seed)
    for at in range(n):
        side = draw.choice(SIDES)
        (folder / side).mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(side, draw)).save(folder / side / f"{at}.png")
    return folder


def make_eye(folder: Path, *, steps: int) -> Path:
    """A ResNet of gray images; random without steps."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    names = dict(enumerate(SIDES))
    config = ResNetConfig(
        num_channels=1, embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic",
        id2label=names, label2id={label: at for at, label in names.items()},
    )  # fmt: skip
    model = ResNetForImageClassification(config)
    processor = ViTImageProcessor(
        size={"height": SIZE, "width": SIZE}, image_mean=[0.5], image_std=[0.5]
    )
    draw = random.Random(3)

    def loss():  # type: ignore[no-untyped-def]
        sides = [draw.choice(SIDES) for _ in range(32)]
        images = [Image.fromarray(picture(side, draw)) for side in sides]
        pixels = processor(images=images, return_tensors="pt")["pixel_values"]
        wanted = torch.tensor([SIDES.index(side) for side in sides])
        return lambda model: model(pixel_values=pixels, labels=wanted).loss

    model.train()
    teach(model, (loss() for _ in range(steps)))
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def eye(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_eye(tmp_path_factory.mktemp("models") / "eye", steps=25)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("pictures"), 150, seed=1)


@pytest.mark.parametrize("recipe", ["torch-fp32", "onnxruntime-fp32"])
def test_scores_are_those_of_the_model_by_hand(
    recipe: str, eye: Path, pictures: Path, worker: Worker, tmp_path: Path
) -> None:
    """Also in batches: an image's scores do not depend on its neighbours."""
    samples = read_samples(pictures, shape=None)
    assert samples.task == TASK.name
    rows = samples.rows[:20]
    requests = [request_of(row) for row in rows]
    worker.load(built(worker, eye, tmp_path, recipe, TASK, requests[:2]))
    scores = worker.scores(requests).logits
    pixels = np.stack([np.asarray(Image.open(str(row.file)), dtype=np.float32) for row in rows])
    model = ResNetForImageClassification.from_pretrained(eye).eval()
    with torch.inference_mode():
        expected = model(torch.from_numpy((pixels[:, None] / 255 - 0.5) / 0.5)).logits.numpy()
    np.testing.assert_allclose(scores, expected, atol=1e-3)
    single = np.concatenate([worker.scores([request]).logits for request in requests[:5]])
    np.testing.assert_allclose(scores[:5], single, atol=1e-4)


def test_the_better_eye_is_found_on_a_hub(
    eye: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of classes is all that is given; the task is guessed."""
    shutil.copytree(eye, tmp_path / "hosted" / "team" / "eye")
    make_eye(tmp_path / "hosted" / "team" / "blind", steps=0)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    with LoopbackHub(tmp_path / "hosted") as hub:
        found = find(
            pictures, "accuracy >= 0.8", sources=[f"hub:{hub.endpoint}"], backends=["onnxruntime"],
            home=tmp_path / "home",
        )  # fmt: skip
        tell = found.load()
    assert found.choice is not None
    assert found.choice.model == "team/eye"
    files = sorted(pictures.rglob("*.png"))[::7]
    assert np.mean([tell(file) == file.parent.name for file in files]) >= 0.8
    assert tell(files) == [tell(file) for file in files]
    assert found.data["task"]["name"] == TASK.name  # type: ignore[index]
    assert not any(one.acceptable for one in found.candidates if one.model == "team/blind")


def test_a_damaged_image_is_named(tmp_path: Path) -> None:
    """One line, with what to do."""
    file = tmp_path / "cut.png"
    Image.fromarray(np.zeros((SIZE, SIZE), dtype=np.uint8)).save(file)
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(BadInput, match=r"cut\.png cannot be read as an image.*remove or replace"):
        read_image(file, channels=1)


def test_a_photo_lies_upright(tmp_path: Path) -> None:
    """The camera's orientation is followed, as viewers do."""
    wide = Image.new("RGB", (4, 2))
    exif = wide.getexif()
    exif[0x0112] = 6  # turned by a quarter
    wide.save(tmp_path / "turned.jpg", exif=exif)
    assert read_image(tmp_path / "turned.jpg", channels=3).size == (2, 4)
