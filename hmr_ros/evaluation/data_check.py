# SPDX-License-Identifier: Apache-2.0
"""What lies in a directory of data sets: files, people, images, and how well the fits lie on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from hmr_ros.core.arrays import Floats, Image
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.geometry.crop import apply, crop_from_image, pad_to_aspect
from hmr_ros.core.geometry.crop_view import CROP_ASPECT
from hmr_ros.perception.overlay import draw_surface, shade
from hmr_ros.perception.raster import vertex_normals
from hmr_ros.training.datasets.annotated import AnnotatedPeople
from hmr_ros.training.datasets.cameras import completed, network_boxes
from hmr_ros.training.datasets.filters import filtered
from hmr_ros.training.datasets.layouts import LAYOUTS, find_layout
from hmr_ros.training.datasets.possible import impossible, possible
from hmr_ros.training.real.images import ImageDirectory

SHOWN = 6
"""People of each split on the contact sheet."""

_HEIGHT, _WIDTH, _MARGIN = 320, 240, 1.15
_JUDGED = 200
_TINT, _OPACITY, _KEYPOINT = np.array([0.4, 0.75, 1.0]), 0.7, (255, 60, 60)


@dataclass(frozen=True, eq=False)
class SplitCheck:
    """One split of one data set: ``line`` to print, whether it is ``usable``, and crops (N, H, W, 3) to look at."""

    dataset: str
    split: str
    line: str
    usable: bool
    crops: Image


def splits() -> list[tuple[str, str]]:
    """Data sets and splits that are looked for."""
    return list(dict.fromkeys((layout.dataset, layout.split) for layout in LAYOUTS))


def check_split(root: Path, dataset: str, split: str, bodies: Mapping[str, BodyModel]) -> SplitCheck | None:
    """Read one split below ``root``; None where it is not there. What is wrong with it stands in the line."""
    nothing = np.zeros((0, _HEIGHT, _WIDTH, 3), np.uint8)
    try:
        layout, path = find_layout(root, dataset, split)
    except FileNotFoundError:
        return None
    try:
        people = layout.read(path, bodies["neutral"])
    except (OSError, ValueError) as err:
        return SplitCheck(dataset, split, f"BROKEN: {err}", False, nothing)
    images = ImageDirectory(root / dataset)
    names = np.unique(people.image).tolist()
    missing = [name for name in names if images.find(name) is None]
    odd = impossible(people)
    facts = [
        path.name,
        f"{len(people)} people in {len(names)} images, {people.fitted.sum()} with SMPL parameters, "
        f"{people.measured.sum()} with measured joints",
        f"{len(missing)} images missing, the first is {missing[0]}" if missing else "no image missing",
    ]
    if odd.any():
        facts.append(f"{odd.sum()} people with values that cannot be, the first in {people.image[odd][0]}")
    people = possible(people)
    there = people.take(~np.isin(people.image, missing))
    try:
        kept, crops = _judged(there, images, bodies)
    except (OSError, ValueError) as err:
        return SplitCheck(dataset, split, "; ".join([*facts, f"BROKEN: {err}"]), False, nothing)
    return SplitCheck(dataset, split, "; ".join([*facts, *kept]), bool(len(people)) and not missing, crops)


def _judged(
    people: AnnotatedPeople, images: ImageDirectory, bodies: Mapping[str, BodyModel]
) -> tuple[list[str], Image]:
    """How many of some fits pass the papers' filters, and crops of a few."""
    people = people.take(people.fitted & np.isin(people.gender, list(bodies)))
    if not len(people):
        return [], np.zeros((0, _HEIGHT, _WIDTH, 3), np.uint8)
    some = people.take(np.random.default_rng(0).permutation(len(people))[:_JUDGED])
    some = completed(some, bodies, images.size)
    passed = int(filtered(some, bodies).fitted.sum())
    shown = some.take(slice(0, SHOWN))
    crops = np.stack([_crop(shown.take(slice(row, row + 1)), images, bodies) for row in range(len(shown))])
    return [f"{passed} of {len(some)} fits looked at pass the filters"], crops


def _crop(person: AnnotatedPeople, images: ImageDirectory, bodies: Mapping[str, BodyModel]) -> Image:
    """(320, 240, 3) one person with the projected mesh and the annotated keypoints."""
    body = bodies[str(person.gender[0])]
    box = pad_to_aspect(network_boxes(person, person.kp2d, person.kp2d_score > 0), CROP_ASPECT, _MARGIN)
    image: Image = images.crops(person.image, box, (_HEIGHT, _WIDTH))[0]
    (affine,) = crop_from_image(box, _WIDTH, _HEIGHT)
    vertices = body.posed(person.pose[:, 0], person.pose[:, 1:], person.betas, person.cam_t).vertices[0]
    tint = _TINT * shade(vertex_normals(vertices, body.faces))[:, None]
    draw_surface(image, apply(affine, _projected(vertices, person.K[0])), vertices[:, 2], body.faces, tint, _OPACITY)
    for x, y in apply(affine, person.kp2d[0])[person.kp2d_score[0] > 0].astype(int).tolist():
        cv2.circle(image, (x, y), 2, _KEYPOINT, -1)
    return image


def _projected(points: Floats, K: Floats) -> Floats:
    """(N, 3) m -> (N, 2) px."""
    return np.asarray(points[:, :2] / np.maximum(points[:, 2:], 0.05) * K[[0, 1], [0, 1]] + K[:2, 2])


def contact_sheet(checks: Sequence[SplitCheck]) -> Image:
    """(H, W, 3) uint8 RGB: a row of crops for each split that has some."""
    rows = []
    for check in checks:
        if len(check.crops):
            blank = np.zeros((SHOWN - len(check.crops), _HEIGHT, _WIDTH, 3), np.uint8)
            row = np.concatenate(list(np.concatenate([check.crops, blank])), 1)
            font = cv2.FONT_HERSHEY_SIMPLEX
            cv2.putText(row, f"{check.dataset} {check.split}", (6, 16), font, 0.5, (255, 255, 0), 1, cv2.LINE_AA)
            rows.append(row)
    if not rows:
        raise ValueError("no fitted person with an image: there is nothing to draw")
    return np.concatenate(rows)
