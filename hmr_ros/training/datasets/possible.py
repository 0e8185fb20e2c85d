# SPDX-License-Identifier: Apache-2.0
"""Annotations that cannot be, such as a focal length of 0: they are taken as unknown, and counted."""

from __future__ import annotations

import dataclasses

import numpy as np

from hmr_ros.core.arrays import Bools, Floats
from hmr_ros.training.datasets.annotated import AnnotatedPeople

_PX = 1e5
"""No image, box or focal length is larger, and no keypoint farther away."""

_METRES = 1e4
_RADIANS, _BETA = 100.0, 100.0
_COLUMNS = ("kp2d_score", "box", "pose", "betas", "cam_t", "human36m", "K", "image_size")


def possible(people: AnnotatedPeople) -> AnnotatedPeople:
    """``people`` without what cannot be: such keypoints have score 0, everything else is NaN, as if not given."""
    seen = _keypoints(people)
    fitted = (_within(people.pose, _RADIANS) & _within(people.betas, _BETA))[:, None]
    measured = _within(people.human36m, _METRES)[:, None, None]
    return dataclasses.replace(
        people,
        kp2d=np.where(seen[..., None], people.kp2d, 0),
        kp2d_score=np.where(seen, people.kp2d_score, 0),
        box=_where(_boxes(people.box)[:, None], people.box),
        pose=_where(fitted[..., None], people.pose),
        betas=_where(fitted, people.betas),
        cam_t=_where((_within(people.cam_t, _METRES) & (people.cam_t[:, 2] > 0))[:, None], people.cam_t),
        human36m=_where(measured, people.human36m),
        K=_cameras(people.K),
        image_size=_where(_sizes(people.image_size)[:, None], people.image_size),
    )


def impossible(people: AnnotatedPeople) -> Bools:
    """(N,) people of whom an annotation is given that cannot be."""
    found = np.zeros(len(people), np.bool_)
    left = possible(people)
    for name in _COLUMNS:
        before, after = getattr(people, name), getattr(left, name)
        inner = tuple(range(1, before.ndim))
        given = ~np.isnan(before).all(inner)
        found |= given & ~((before == after) | (np.isnan(before) & np.isnan(after))).all(inner)
    return found


def _keypoints(people: AnnotatedPeople) -> Bools:
    """(N, J) keypoints that are given and can be."""
    near: Bools = np.asarray((np.abs(people.kp2d) <= _PX).all(-1))
    return near & (people.kp2d_score > 0) & np.isfinite(people.kp2d_score)


def _within(values: Floats, limit: float) -> Bools:
    """(N,) rows all of whose numbers are at most ``limit``."""
    return np.asarray((np.abs(values) <= limit).all(tuple(range(1, values.ndim))))


def _boxes(box: Floats) -> Bools:
    """(N,) boxes that have an area."""
    return _within(box, _PX) & np.asarray((box[:, 2:] > box[:, :2]).all(1))


def _sizes(size: Floats) -> Bools:
    """(N,) images that have a pixel."""
    return _within(size, _PX) & np.asarray((size >= 1).all(1))


def _cameras(K: Floats) -> Floats:
    """(N, 3, 3) with NaN for focal lengths and principal points that cannot be."""
    good = np.ones(K.shape, np.bool_)
    good[:, [0, 1], [0, 1]] = (K[:, [0, 1], [0, 1]] > 0) & (K[:, [0, 1], [0, 1]] <= _PX)
    good[:, :2, 2] = np.abs(K[:, :2, 2]) <= _PX
    return _where(good, K)


def _where(good: Bools, values: Floats) -> Floats:
    return np.where(good, values, np.float32(np.nan))
