# SPDX-License-Identifier: Apache-2.0
"""People whom another detector has found, from a file of JSON lines: one object per image.

``{"frame": 12, "boxes": [[x1, y1, x2, y2], ...]}``, px. ``"image"``, the file's name, may take the place of
``"frame"``, the number of the image in its source from 0. For each person there may be ``"scores"`` 0..1, ``"ids"``
(whole numbers, null for none) and ``"keypoints"`` ([[x, y, score], ...] in the order of ``"joint_set"``, coco17 unless
named), from which boxes follow where there are none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

import numpy as np

from hmr_ros.core.arrays import Floats, Int64s
from hmr_ros.core.geometry.crop import boxes_of_keypoints
from hmr_ros.core.people import UNTRACKED, Detections
from hmr_ros.core.skeleton import JOINT_SETS
from hmr_ros.media.sources import Frame

_KEYS = frozenset({"frame", "image", "boxes", "scores", "ids", "keypoints", "joint_set"})


@dataclass(frozen=True, eq=False)
class GivenDetections:
    """The people of each image, by its number or by its name."""

    by_image: Mapping[int | str, Detections]

    @property
    def have_keypoints(self) -> bool:
        """Whether keypoints are given, and not boxes alone."""
        return any(people.has_keypoints for people in self.by_image.values())

    def of(self, frame: Frame) -> Detections | None:
        """The people of ``frame``; None where the file says nothing about it."""
        return self.by_image.get(frame.index, self.by_image.get(frame.name))


NOTHING_GIVEN = GivenDetections({})


def read_given(path: Path) -> GivenDetections:
    """The detections in the file at ``path``. Raises OSError, or ValueError, which names file and line."""
    found: dict[int | str, Detections] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            image, people = _parsed(json.loads(line))
        except (ValueError, TypeError, KeyError, RecursionError) as err:
            raise ValueError(f"{path}, line {number}: {err}; docs/run.md has the format") from err
        if image in found:
            raise ValueError(f"{path}, line {number}: image {image!r} has an earlier line")
        found[image] = people
    return GivenDetections(found)


def _parsed(record: object) -> tuple[int | str, Detections]:
    """The image and the people of one line. Raises ValueError or TypeError."""
    if not _is_object(record) or record.keys() - _KEYS:
        raise ValueError(f"expected an object with {', '.join(sorted(_KEYS))}, got {str(record)[:80]}")
    image = record.get("frame", record.get("image"))
    if not isinstance(image, int | str) or isinstance(image, bool):
        raise ValueError('expected "frame", a whole number, or "image", a name')
    return image, _people(record)


def _is_object(record: object) -> TypeGuard[dict[str, object]]:
    return isinstance(record, dict)


def _people(record: Mapping[str, object]) -> Detections:
    """The people of an image. Raises ValueError or TypeError."""
    if record.get("boxes") is None and record.get("keypoints") is None:
        raise ValueError('expected "boxes" or "keypoints"')
    if record.get("keypoints") is None:
        return _of_boxes(record)
    joint_set = str(record.get("joint_set", "coco17"))
    if joint_set not in JOINT_SETS:
        raise ValueError(f'"joint_set": expected {", ".join(sorted(JOINT_SETS))}, got {joint_set!r}')
    return _of_keypoints(record, joint_set)


def _of_boxes(record: Mapping[str, object]) -> Detections:
    boxes = _numbers("boxes", record["boxes"], (-1, 4))
    return Detections.of_boxes(boxes, _scores(record, len(boxes)), _ids(record, len(boxes)))


def _of_keypoints(record: Mapping[str, object], joint_set: str) -> Detections:
    """People with keypoints; nulls, and scores of 0, are missing ones."""
    points = _numbers("keypoints", record["keypoints"], (-1, JOINT_SETS[joint_set].size, 3))
    people, boxes = len(points), record.get("boxes")
    seen = np.isfinite(points).all(2) & (points[..., 2] > 0)
    points = np.where(seen[..., None], points, 0)
    around = boxes_of_keypoints(points[..., :2], seen, np.full(2, np.inf))
    return Detections(
        boxes=around if boxes is None else _numbers("boxes", boxes, (people, 4)),
        scores=_scores(record, people),
        kp2d=points[..., :2],
        kp2d_score=points[..., 2],
        joint_set=joint_set,
        ids=_ids(record, people),
    )


def _scores(record: Mapping[str, object], people: int) -> Floats:
    return _numbers("scores", record.get("scores", [1.0] * people), (people,))


def _ids(record: Mapping[str, object], people: int) -> Int64s:
    ids = record.get("ids", [None] * people)
    if not isinstance(ids, list) or len(ids) != people or not all(map(_is_id, ids)):
        raise ValueError(f'"ids": expected {people} whole numbers from 0 on, or null for none, got {ids}')
    return np.array([UNTRACKED if i is None else i for i in ids], np.int64)


def _is_id(value: object) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63)


def _numbers(name: str, values: object, shape: tuple[int, ...]) -> Floats:
    """``values``, nested lists of numbers and nulls (NaN), as an array of ``shape`` (-1: any number of people)."""
    array = np.array(values, np.float64)
    if array.size == 0 and shape[0] < 1:
        return np.zeros((0, *shape[1:]))
    if array.ndim != len(shape) or any(s not in (-1, a) for s, a in zip(shape, array.shape, strict=True)):
        wanted = ", ".join("people" if s == -1 else str(s) for s in shape)
        raise ValueError(f'"{name}": expected an array of shape ({wanted}), got {array.shape}')
    return array
