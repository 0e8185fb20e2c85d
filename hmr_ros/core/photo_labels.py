# SPDX-License-Identifier: Apache-2.0
"""Photos with joints labelled by hand, in COCO's keypoint format."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from hmr_ros.core.arrays import Bools, Floats
from hmr_ros.core.records import Record
from hmr_ros.core.skeleton import COCO17

_UPRIGHT_LEAN = np.deg2rad(35)
"""A person stands or walks if the torso leans less and the legs reach down at least half the torso's length."""


@dataclass(frozen=True, eq=False)
class LabelledPhoto(Record):
    """One photo, ``width`` x ``height`` px, and its people.

    ``boxes`` (P, 4) x1 y1 x2 y2 px; ``kp2d`` (P, 17, 2) px, joint set "coco17"; ``labelled`` (P, 17) joints with a
    label, visible or not.
    """

    path: Path
    width: int
    height: int
    boxes: Floats
    kp2d: Floats
    labelled: Bools

    def __post_init__(self) -> None:
        people = len(self.boxes)
        expected = {"boxes": (people, 4), "kp2d": (people, COCO17.size, 2), "labelled": (people, COCO17.size)}
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"LabelledPhoto.{name}: expected shape {shape}, got {getattr(self, name).shape}")

    def torso(self) -> Floats:
        """(P,) px: from a shoulder to the opposite hip, the mean of both diagonals; NaN where neither is labelled.

        The yardstick of PCK since Yang and Ramanan (PAMI 2013).
        """
        diagonals = np.stack([self._between("left_shoulder", "right_hip"), self._between("right_shoulder", "left_hip")])
        known = np.isfinite(diagonals)
        total = np.where(known, diagonals, 0).sum(0)
        return np.asarray(np.where(known.any(0), total / np.maximum(known.sum(0), 1), np.nan))

    def upright(self) -> Bools:
        """(P,) whether a person stands or walks, with shoulders to ankles labelled."""
        shoulders, hips, knees, ankles = (self._middle(joint) for joint in ("shoulder", "hip", "knee", "ankle"))
        trunk, legs = hips - shoulders, ankles - hips
        lean = np.arctan2(np.abs(trunk[:, 0]), trunk[:, 1])
        reach = legs[:, 1] >= np.linalg.norm(trunk, axis=1) / 2
        return np.asarray((lean < _UPRIGHT_LEAN) & reach & (hips[:, 1] < knees[:, 1]) & (knees[:, 1] < ankles[:, 1]))

    def _between(self, a: str, b: str) -> Floats:
        return np.asarray(np.linalg.norm(self._joint(a) - self._joint(b), axis=1))

    def _joint(self, joint: str) -> Floats:
        index = COCO17.index(joint)
        return np.asarray(np.where(self.labelled[:, [index]], self.kp2d[:, index], np.nan))

    def _middle(self, joint: str) -> Floats:
        """(P, 2) between left and right ``joint``; NaN unless both are labelled."""
        return np.asarray((self._joint(f"left_{joint}") + self._joint(f"right_{joint}")) / 2)


def read_coco(labels: Path, photos: Path) -> list[LabelledPhoto]:
    """The photos with labelled people of a COCO keypoint file, in its order; the images lie in directory ``photos``.

    Crowds and people without keypoints are left out. Raises ValueError for other files, naming the entry.
    """
    try:
        content = json.loads(labels.read_text(encoding="utf-8"))
        images, annotations = content["images"], content["annotations"]
        people: dict[int, list[Mapping[str, object]]] = {image["id"]: [] for image in images}
        for annotation in annotations:
            if annotation.get("num_keypoints", 1) and not annotation.get("iscrowd", 0):
                people[annotation["image_id"]].append(annotation)
        return [_photo(image, people[image["id"]], photos) for image in images if people[image["id"]]]
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as err:
        raise ValueError(f"{labels}: expected a JSON file of labels ({err})") from err
    except (KeyError, TypeError) as err:
        raise ValueError(f"{labels}: not in COCO's keypoint format ({type(err).__name__}: {err})") from err
    except ValueError as err:
        raise ValueError(f"{labels}: {err}") from err


def _photo(image: Mapping[str, object], people: Sequence[Mapping[str, object]], photos: Path) -> LabelledPhoto:
    name = str(image["file_name"])
    keypoints = np.array([_numbers(person, "keypoints", 3 * COCO17.size) for person in people]).reshape(-1, 17, 3)
    corners = np.array([_numbers(person, "bbox", 4) for person in people])
    return LabelledPhoto(
        path=photos / name,
        width=int(cast(int, image["width"])),
        height=int(cast(int, image["height"])),
        boxes=np.concatenate([corners[:, :2], corners[:, :2] + corners[:, 2:]], 1),
        kp2d=keypoints[..., :2],
        labelled=keypoints[..., 2] > 0,
    )


def _numbers(person: Mapping[str, object], key: str, count: int) -> list[float]:
    values = cast(Sequence[float], person[key])
    if len(values) != count:
        raise ValueError(f"annotation {person.get('id')}: expected {count} numbers in {key!r}, got {len(values)}")
    return [float(value) for value in values]
