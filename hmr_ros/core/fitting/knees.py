# SPDX-License-Identifier: Apache-2.0
"""Knees as straight as they may be: what a leg is bent along the line of sight by doubt alone is taken back.

A knee bends to one side only. Where its depth is not seen, a network that is trained to be near the truth answers with
the middle of all that may be, so that legs which are straight come out bent, the more the less sure it is. The bend
is made smaller by what the expected error of the ankle makes of it; knees that are bent far are seen to be, and stay.
The slope was chosen on synthetic people of the training subjects; measured on others: docs/evaluation.md.
"""

from __future__ import annotations

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.fitting.legs import ANKLES, LEGS, Legs

_SLOPE = 1.05
"""rad per m of the ankle's expected error, of a knee that is bent along the line of sight."""

_ALL, _NONE = np.radians([40.0, 70.0])
"""Bends below the first lose all that, those beyond the second nothing."""

_KEPT = np.radians(3.0)
"""No knee is made straighter than this: the doubt is about how far it bends, not to which side."""


def straightened(rotations: Floats, rest: Floats, joint_error: Floats, sight: Floats) -> Floats:
    """(N, 24, 3, 3) ``rotations``, the root's to optical, with hips, knees and ankles of straighter legs.

    ``rest`` (N, 24, 3) m; ``joint_error`` (N, 24) m as expected; ``sight`` (N, 3) unit vectors from the camera to the
    pelvis. Ankles stay on the line from the hip, feet keep their direction.
    """
    legs = Legs.posed(rotations, rest)
    thigh, shank = legs.knee - legs.hip, legs.ankle - legs.knee
    a, b = _length(thigh), _length(shank)
    bend = np.arccos(np.clip((thigh * shank).sum(-1) / (a * b), -1, 1))
    wanted = _less(bend, joint_error[:, ANKLES], _depth(legs, sight))
    length = np.sqrt(a * a + b * b + 2 * a * b * np.cos(wanted))
    way = legs.ankle - legs.hip
    out = rotations.copy()
    out[:, LEGS] = legs.reaching(legs.hip + (length / np.maximum(_length(way), 1e-9))[..., None] * way)
    return out


def _less(bend: Floats, error: Floats, depth: Floats) -> Floats:
    """(N, 2) rad: ``bend`` without what the ``error`` m makes of it, of knees with so much ``depth``."""
    doubt = _SLOPE * error * depth * np.clip((_NONE - bend) / (_NONE - _ALL), 0, 1)
    return np.asarray(np.maximum(bend - doubt, np.minimum(bend, _KEPT)))


def _depth(legs: Legs, sight: Floats) -> Floats:
    """(N, 2) 0..1: how much of the way from the line between hip and ankle to the knee is along the ``sight``."""
    way, out = legs.ankle - legs.hip, legs.knee - legs.hip
    along = (out * way).sum(-1) / np.maximum((way * way).sum(-1), 1e-9)
    out = out - along[..., None] * way
    return np.asarray(np.abs((out * sight[:, None]).sum(-1)) / np.maximum(_length(out), 1e-9))


def _length(vectors: Floats) -> Floats:
    return np.asarray(np.linalg.norm(vectors, axis=-1))
