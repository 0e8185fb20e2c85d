# SPDX-License-Identifier: Apache-2.0
"""Cameras, positions and boxes of people whose annotations do not give them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from hmr_ros.core.arrays import Bools, Floats
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.fitting.translation import fit_translation
from hmr_ros.core.geometry.crop import KEYPOINT_MARGIN, pad_to_aspect
from hmr_ros.core.geometry.crop_view import BOX_SCALE, CROP_ASPECT
from hmr_ros.core.geometry.keypoints import Keypoints
from hmr_ros.core.skeleton import JOINT_SETS
from hmr_ros.training.datasets.annotated import AnnotatedPeople
from hmr_ros.training.datasets.possible import possible

SizeOf = Callable[[str], tuple[int, int]]
"""The name of an image -> its width and height in px."""

FOCAL_OVER_BOX = 2.5
"""Assumed focal length over the height of the box where not even the image's size is known: a person 5 m away."""

_BATCH = 250
_STATURE = 2.0
"""m that a box spans at the person's distance, where no keypoint tells it."""


def completed(
    people: AnnotatedPeople, bodies: Mapping[str, BodyModel], size_of: SizeOf | None = None
) -> AnnotatedPeople:
    """``people`` with boxes, cameras and positions; those that the annotations give stay, where they can be.

    Boxes are those of the keypoints, or of the fit where a camera and position show it. Cameras are CLIFF's: the focal
    length is the image's diagonal, the principal point its centre. Without image sizes it is where a fit with a focal
    length and a position lies on its keypoints, as CLIFF's; other cameras look at the box, as SPIN's. Positions are
    fitted to the keypoints. ValueError names the first person of whom no box can be known.
    """
    people = possible(people)
    people = dataclasses.replace(people, box=_boxes(people, bodies))
    if not np.isfinite(people.box).all():
        row = int(np.flatnonzero(~np.isfinite(people.box).all(1))[0])
        raise ValueError(
            f"image {people.image[row]}, person {people.person[row]}: expected a box with an area, a keypoint, or a "
            "fit with a camera before which it stands, and none of these is given in numbers that can be; take it out"
        )
    if size_of is not None:
        people = dataclasses.replace(people, image_size=_sizes(people, size_of))
    people = dataclasses.replace(people, K=_with_principal_points(people, bodies))
    people = dataclasses.replace(people, K=_cameras(people))
    return dataclasses.replace(people, cam_t=_positions(people, bodies))


def network_boxes(people: AnnotatedPeople, kp2d: Floats, seen: Bools) -> Floats:
    """(N, 4) px: boxes around ``seen`` keypoints (N, J), or those of the annotations, as networks get them."""
    around = _around(kp2d, seen)
    return pad_to_aspect(np.where(np.isfinite(around), around, people.box), CROP_ASPECT, BOX_SCALE)


def _boxes(people: AnnotatedPeople, bodies: Mapping[str, BodyModel]) -> Floats:
    """(N, 4) px: around the keypoints where no box is given, or else around those of the fit."""
    boxes = np.where(np.isfinite(people.box), people.box, _around(people.kp2d, people.kp2d_score > 0))
    shown = people.fitted & np.isfinite(people.cam_t).all(1) & np.isfinite(people.K).all((1, 2))
    for gender in set(people.gender.tolist()) & set(bodies):
        rows = np.flatnonzero(shown & ~np.isfinite(boxes).all(1) & (people.gender == gender))
        for some in np.array_split(rows, 1 + len(rows) // _BATCH):
            points = _projected_fits(people.take(some), bodies[gender])
            boxes[some] = _around(points, np.isfinite(points[..., 0]))
    return boxes


def _projected_fits(people: AnnotatedPeople, body: BodyModel) -> Floats:
    """(N, J, 2) px: the keypoints of the fits in their cameras, NaN behind them."""
    posed = body.posed(people.pose[:, 0], people.pose[:, 1:], people.betas, people.cam_t)
    points = body.regressor(JOINT_SETS[people.joint_set].name) @ posed.vertices @ people.K.swapaxes(1, 2)
    return points[..., :2] / np.where(points[..., 2:] > 0, points[..., 2:], np.nan)


def _around(kp2d: Floats, seen: Bools) -> Floats:
    """(N, 4) px: boxes around ``seen`` keypoints with a margin, NaN without any."""
    points = np.where(seen[..., None], kp2d, np.nan)
    low, high = np.fmin.reduce(points, 1), np.fmax.reduce(points, 1)
    margin = KEYPOINT_MARGIN * (high - low)
    return np.concatenate([low - margin, high + margin], 1)


def _sizes(people: AnnotatedPeople, size_of: SizeOf) -> Floats:
    """(N, 2) px, of the images where the annotations do not say."""
    sizes = people.image_size.copy()
    missing = np.flatnonzero(~np.isfinite(sizes).all(1))
    found = {name: size_of(name) for name in set(people.image[missing].tolist())}
    for row in missing:
        sizes[row] = found[str(people.image[row])]
    return sizes


def _with_principal_points(people: AnnotatedPeople, bodies: Mapping[str, BodyModel]) -> Floats:
    """(N, 3, 3) px: where the principal point and the image's size are unknown, where fits lie on their keypoints."""
    K = people.K.copy()
    open_ = ~np.isfinite(K[:, :2, 2]).all(1) & ~np.isfinite(people.image_size).all(1)
    seen = people.kp2d_score > 0
    placed = people.fitted & np.isfinite(people.cam_t).all(1) & np.isfinite(K[:, [0, 1], [0, 1]]).all(1) & seen.any(1)
    for gender in set(people.gender.tolist()) & set(bodies):
        rows = np.flatnonzero(open_ & placed & (people.gender == gender))
        for some in np.array_split(rows, 1 + len(rows) // _BATCH):
            centred = people.take(some)
            centred.K[:, :2, 2] = 0
            offset = np.where(seen[some, :, None], centred.kp2d - _projected_fits(centred, bodies[gender]), np.nan)
            if len(some):
                K[some, :2, 2] = np.nanmedian(offset, 1)
    return K


def _cameras(people: AnnotatedPeople) -> Floats:
    known = np.isfinite(people.image_size).all(1, keepdims=True)
    centre = (people.box[:, :2] + people.box[:, 2:]) / 2
    height = people.box[:, 3:] - people.box[:, 1:2]
    focal = np.where(known, np.linalg.norm(people.image_size, axis=1, keepdims=True), FOCAL_OVER_BOX * height)
    assumed = np.tile(np.eye(3, dtype=people.K.dtype), (len(people), 1, 1))
    assumed[:, [0, 1], [0, 1]] = focal
    assumed[:, :2, 2] = np.where(known, people.image_size / 2, centre)
    return np.where(np.isfinite(people.K), people.K, assumed)


def _positions(people: AnnotatedPeople, bodies: Mapping[str, BodyModel]) -> Floats:
    """(N, 3) m: the pelvis of fitted people where their keypoints show it, else where their box would be 2 m high."""
    found = people.cam_t.copy()
    missing = ~np.isfinite(found).all(1)
    centre = (people.box[:, :2] + people.box[:, 2:]) / 2
    focal, principal = people.K[:, [0, 1], [0, 1]], people.K[:, :2, 2]
    depth = _STATURE * focal[:, 1] / np.maximum(people.box[:, 3] - people.box[:, 1], 1)
    bearing = np.concatenate([(centre - principal) / focal, np.ones((len(people), 1))], 1)
    found[missing] = (bearing * depth[:, None])[missing]
    for gender in set(people.gender.tolist()) & set(bodies):
        rows = np.flatnonzero(missing & people.fitted & (people.gender == gender))
        for some in np.array_split(rows, 1 + len(rows) // _BATCH):
            fit = _fitted_positions(people.take(some), bodies[gender])
            found[some] = np.where(np.isfinite(fit), fit, found[some])
    return found


def _fitted_positions(people: AnnotatedPeople, body: BodyModel) -> Floats:
    """(N, 3) m: the pelvis where the fitted body projects to the keypoints, NaN where they do not show it."""
    if not len(people):
        return np.zeros((0, 3))
    posed = body.posed(people.pose[:, 0], people.pose[:, 1:], people.betas, np.zeros((len(people), 3)))
    normalized = (people.kp2d - people.K[:, None, :2, 2]) / people.K[:, None, [0, 1], [0, 1]]
    points = body.regressor(JOINT_SETS[people.joint_set].name) @ posed.vertices
    return fit_translation(points, Keypoints.of(normalized, people.kp2d_score)).translation
