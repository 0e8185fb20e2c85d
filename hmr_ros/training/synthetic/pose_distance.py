# SPDX-License-Identifier: Apache-2.0
"""How far poses are from each other, and so how densely a motion file covers each of its own.

The distance of two poses is the root mean square, over the joints that shape a pose, of the angle between their
rotations; for the root, of the angle between what each takes for up, as the heading does not matter. (Angles by chords:
2 sin(angle / 2), within 3 % up to 45 degrees.)
"""

from __future__ import annotations

import numpy as np
from numpy.random import default_rng

from hmr_ros.core.arrays import Float32s, Float64s, Floats, Int64s
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.skeleton import SMPL
from hmr_ros.training.datasets.motion import mirror

_LEFT_OUT = ("pelvis", "ankle", "foot", "hand", "wrist", "head")
_JOINTS = np.array([k for k, joint in enumerate(SMPL.joints) if joint.rpartition("_")[2] not in _LEFT_OUT])

NEIGHBOUR = 8
"""Density is measured by the distance of this neighbour."""

_REFERENCES = 4000
"""Frames, half of them mirrored, among which neighbours are looked for."""

_STRIDE = 5
"""Frames for each whose density is computed: a sixth of a second."""

_OUTLIERS = 0.95
"""Quantile of distances at which they are cut off: what is farthest of all is often a glitch."""

_CHUNK = 1024


def pose_points(pose: Floats) -> Float32s:
    """Points (N, D) of ``pose`` (N, 24, 3), axis-angle, whose Euclidean distance is the distance of poses in rad."""
    rotations = rotvec_to_rotmat(pose.astype(np.float32))
    local = rotations[:, _JOINTS].reshape(len(pose), -1) / np.sqrt(2)  # a chord is the Frobenius norm over sqrt(2)
    points: Float32s = np.concatenate([local, rotations[:, 0, 1]], 1) / np.sqrt(len(_JOINTS) + 1, dtype=np.float32)
    return points


def nearest(points: Float32s, among: Float32s, neighbour: int = 1) -> Float32s:
    """(N,) distance of each of ``points`` (N, D) to its ``neighbour``-th nearest of ``among`` (M, D)."""
    squares = (among**2).sum(1)

    def of_chunk(chunk: Float32s) -> Float32s:
        found = squares - 2 * (chunk @ among.T)
        found.partition(neighbour - 1, axis=1)
        squared: Float32s = found[:, neighbour - 1] + (chunk**2).sum(1)
        return squared

    chunks = [of_chunk(points[first : first + _CHUNK]) for first in range(0, len(points), _CHUNK)]
    distance: Float32s = np.sqrt(np.maximum(np.concatenate(chunks), 0))
    return distance


def sparseness(pose: Float32s) -> Float64s:
    """(N,) how far each frame of ``pose`` (N, 24, 3) is from its neighbours in pose, rad; frames follow each other."""
    rng = default_rng(0)
    chosen = np.sort(rng.permutation(len(pose))[:_REFERENCES])
    references = pose[chosen]
    references[::2] = mirror(references[::2], np.zeros(3, np.float32))[0]
    every = pose_points(pose[::_STRIDE])
    neighbour = min(NEIGHBOUR, len(references))
    distance = np.repeat(nearest(every, pose_points(references), neighbour), _STRIDE)[: len(pose)]
    return np.minimum(distance, np.quantile(distance, _OUTLIERS)).astype(np.float64)


def drawn_distance(pose: Floats, drawn: Floats) -> Float64s:
    """(N,) degrees from each ``pose`` (N, 24, 3) to the nearest of ``drawn`` (M, 24, 3) or its mirror image."""
    both = np.concatenate([drawn, mirror(drawn, np.zeros(3))[0]])
    return np.rad2deg(nearest(pose_points(pose), pose_points(both)).astype(np.float64))


def evenly(kinds: Int64s, weights: Float64s) -> Float64s:
    """``weights`` (N,) scaled so that every one of ``kinds`` (N,) that occurs weighs the same; their sum is 1."""
    _, inverse = np.unique(kinds, return_inverse=True)
    total = np.bincount(inverse, weights)[inverse]
    return np.asarray(weights / total / (inverse.max() + 1))
