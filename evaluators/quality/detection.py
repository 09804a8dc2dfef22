"""Detected objects: the mean average precision of COCO, with pycocotools' own matching.

Lin et al. 2014; http://cocodataset.org/#detection-eval. An answer is a JSON list of objects with
`box` [x0, y0, x1, y1], `label` and `score`; a truth is the same without scores. At most 100
detections of an image count. The mean is over labels that the truths have and, for `map`, over the
overlaps .50, .55, ... .95; precision is read at 101 recalls. A failed row counts as one false
detection of each label with the highest score, besides its missed objects.
"""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluators.quality.answers import Answers, Truths, objects_in
from evaluators.quality.extras import library
from evaluators.quality.forms import AllRows, Floats, members

Objects = Sequence[dict[str, Any]]
"""The objects of one row."""

OVERLAPS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
MOST_DETECTIONS = 100
EVERY_SIZE = (0.0, 1e10)
"""Objects of all sizes, in square pixels."""


def mean_average_precision() -> AllRows:
    """map: the mean over labels and ten overlaps."""
    return AllRows(partial(_compute, OVERLAPS))


def mean_average_precision_50() -> AllRows:
    """map@50: the mean over labels at the overlap .50."""
    return AllRows(partial(_compute, OVERLAPS[:1]))


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """One label's detections in all rows, best first, and its objects in each row.

    scores, rows: (d,); hits: (overlaps, d); n_objects: (rows,).
    """

    scores: Floats
    rows: NDArray[np.int64]
    hits: NDArray[np.bool_]
    n_objects: NDArray[np.int64]

    def average_precision(self, kept: NDArray[np.bool_] | None = None) -> float:
        """The area under the interpolated curve, averaged over overlaps; NaN without objects.

        kept: (rows,), which rows count.
        """
        hits = self.hits if kept is None else self.hits[:, kept[self.rows]]
        n_objects = int((self.n_objects if kept is None else self.n_objects[kept]).sum())
        if not n_objects:
            return float("nan")
        true = np.cumsum(hits, axis=1, dtype=np.float64)
        precision = true / np.arange(1, hits.shape[1] + 1)
        best_after = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        padded = np.pad(best_after, ((0, 0), (0, 1)))  # a recall that is never reached has 0
        at = [np.searchsorted(recall, RECALLS, side="left") for recall in true / n_objects]
        return float(np.take_along_axis(padded, np.array(at), axis=1).mean())


def _compute(
    overlaps: Floats, answers: Answers, truths: Truths, groups: Sequence[int]
) -> tuple[float, Floats]:
    """Leaving a group out changes only the labels that its rows show."""
    found = _matched(overlaps, answers, truths)
    areas = np.array([one.average_precision() for one in found])
    shown = np.array([_shown(one) for one in found]).reshape(len(found), len(truths))
    left_out = np.empty(max(groups, default=-1) + 1)
    for group, rows in enumerate(members(groups)):
        kept = np.ones(len(truths), dtype=bool)
        kept[rows] = False
        without = areas.copy()
        for label in np.flatnonzero(shown[:, rows].any(axis=1)):
            without[label] = found[label].average_precision(kept)
        left_out[group] = _mean(without)
    return _mean(areas), left_out


def _mean(areas: Floats) -> float:
    known = areas[~np.isnan(areas)]
    return float(known.mean()) if known.size else 0.0


def _shown(one: Detections) -> NDArray[np.bool_]:
    shown = one.n_objects > 0
    shown[one.rows] = True
    return shown


def _matched(overlaps: Floats, answers: Answers, truths: Truths) -> list[Detections]:
    """Every label of the truths with its detections, each a hit or not at each overlap."""
    wanted = [objects_in(truth) for truth in truths]
    given = [objects_in(answer) if answer else [] for answer in answers]
    labels = sorted({str(one["label"]) for row in wanted for one in row})
    failed = np.flatnonzero([not answer for answer in answers])
    images = coco_results(wanted, given, labels, overlaps)
    return [_of_label(images[at], failed, len(truths), len(overlaps)) for at in range(len(labels))]


def _of_label(
    images: Sequence[dict[str, Any] | None], failed: NDArray[np.int64], n: int, n_overlaps: int
) -> Detections:
    scores, rows = [np.full(len(failed), np.inf)], [failed]
    hits, n_objects = [np.zeros((n_overlaps, len(failed)), dtype=bool)], np.zeros(n, dtype=np.int64)
    for row, image in enumerate(images):
        if image is not None:
            n_objects[row] = len(image["gtIds"])
            scores.append(np.array(image["dtScores"], dtype=np.float64))
            rows.append(np.full(len(image["dtScores"]), row))
            hits.append(image["dtMatches"] > 0)
    every = np.concatenate(scores)
    best_first = np.argsort(-every, kind="stable")
    return Detections(
        every[best_first],
        np.concatenate(rows)[best_first],
        np.concatenate(hits, axis=1)[:, best_first],
        n_objects,
    )


def coco_results(
    wanted: Sequence[Objects],
    given: Sequence[Objects],
    labels: Sequence[str],
    overlaps: Floats,
) -> list[list[dict[str, Any] | None]]:
    """What pycocotools matched in each image: for each label, for each row."""
    evaluation = coco_evaluation(wanted, given, labels)
    evaluation.params.iouThrs = overlaps
    if not labels:
        return []
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does
        evaluation.evaluate()
    n = len(wanted)
    return [evaluation.evalImgs[at * n : (at + 1) * n] for at in range(len(labels))]


def coco_evaluation(
    wanted: Sequence[Objects],
    given: Sequence[Objects],
    labels: Sequence[str],
) -> Any:  # pycocotools ships no types
    """pycocotools' evaluation of boxes of all sizes, ready to run."""
    pycocotools = library("pycocotools.cocoeval", extra="image")
    evaluation = pycocotools.COCOeval(_coco(wanted, labels), _coco(given, labels), "bbox")
    evaluation.params.areaRng, evaluation.params.areaRngLbl = [list(EVERY_SIZE)], ["all"]
    evaluation.params.maxDets = [MOST_DETECTIONS]
    return evaluation


def _coco(rows: Sequence[Objects], labels: Sequence[str]) -> Any:
    """Rows as pycocotools holds them; objects of other labels do not matter to it."""
    known = {label: at for at, label in enumerate(labels, start=1)}
    every = [(row, one) for row, objects in enumerate(rows) for one in objects]
    boxes = [
        _annotation(at, row, known[str(one["label"])], one)
        for at, (row, one) in enumerate(every, start=1)
        if str(one["label"]) in known
    ]
    data = library("pycocotools.coco", extra="image").COCO()
    data.dataset = {
        "images": [{"id": row} for row in range(len(rows))],
        "categories": [{"id": at, "name": label} for label, at in known.items()],
        "annotations": boxes,
    }
    with contextlib.redirect_stdout(io.StringIO()):
        data.createIndex()
    return data


def _annotation(at: int, row: int, label: int, one: dict[str, Any]) -> dict[str, Any]:
    """pycocotools would pass over boxes without a size or of a huge one; here they are wrong."""
    x0, y0, x1, y1 = (float(side) for side in one["box"])
    width, height = max(0.0, x1 - x0), max(0.0, y1 - y0)
    return {
        "id": at,
        "image_id": row,
        "category_id": label,
        "bbox": [x0, y0, width, height],
        "area": min(width * height, EVERY_SIZE[1]),
        "iscrowd": 0,
        "score": float(one.get("score", 1.0)),
    }


def coco_average_precision(
    wanted: Sequence[Objects],
    given: Sequence[Objects],
    labels: Sequence[str],
    overlaps: Floats,
) -> float:
    """The mean average precision as pycocotools itself adds it up; 0 without objects."""
    if not labels:
        return 0.0
    evaluation = coco_evaluation(wanted, given, labels)
    evaluation.params.iouThrs = overlaps
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"]  # (overlaps, recalls, labels, sizes, most), -1: none
    return float(precision[precision > -1].mean()) if (precision > -1).any() else 0.0
