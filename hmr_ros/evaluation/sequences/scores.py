# SPDX-License-Identifier: Apache-2.0
"""Figures of published poses over time against the ground truth."""

from __future__ import annotations

import numpy as np

from hmr_ros.core.arrays import Bools, Floats
from hmr_ros.core.metrics import accel_error, mpjpe, pa_mpjpe
from hmr_ros.core.skeleton import SMPL, SMPL_PARENTS
from hmr_ros.evaluation.sequences.trial import Output
from hmr_ros.training.synthetic.sequences import Sequences

BENDS_DEG = ((0, 15), (15, 45), (45, 100))
"""True angles by which knees and elbows are grouped: straight, walking, bent."""

_SIDES = ("left", "right")
KNEES = [[SMPL.index(f"{side}_{joint}") for joint in ("hip", "knee", "ankle")] for side in _SIDES]
ELBOWS = [[SMPL.index(f"{side}_{joint}") for joint in ("shoulder", "elbow", "wrist")] for side in _SIDES]
_LIMBS = [SMPL.index(f"{side}_{joint}") for side in _SIDES for joint in ("knee", "ankle", "elbow", "wrist")]

_LONGEST_LAG_S = 0.3
_SETTLED_S = 1.0


def in_world(joints: Floats, truth: Sequences) -> Floats:
    """Joints (S, T, 24, 3) around the pelvis in axes that do not turn with the camera."""
    return np.asarray(joints @ truth.optical_from_world)


def position_errors(output: Output, truth: Sequences) -> tuple[Floats, Floats]:
    """MPJPE over 24 joints and PA-MPJPE (S, T) mm; NaN where there is no pose."""
    known, shape = output.known & truth.known[..., 0], output.known.shape
    found, true = output.joints[known], truth.joints[known]
    errors = np.full((2, *shape), np.nan)
    errors[0][known], errors[1][known] = mpjpe(found, true), pa_mpjpe(found, true)
    return errors[0], errors[1]


def acceleration_errors(output: Output, truth: Sequences) -> Floats:
    """(S, T - 2) mm per image squared; NaN where one of three images has no pose."""
    known = output.known & truth.known[..., 0]
    pairs = zip(in_world(output.joints, truth), in_world(truth.joints, truth), known, strict=True)
    return np.stack([accel_error(found, true, seen) for found, true, seen in pairs])


def lag_s(output: Output, truth: Sequences, rate_hz: float) -> float:
    """How far behind the truth the limbs are: the shift at which their velocities correlate best."""
    known = output.known & truth.known[..., 0]
    found, true = (np.diff(in_world(j, truth)[:, :, _LIMBS], axis=1) for j in (output.joints, truth.joints))
    steps = max(2, int(np.ceil(_LONGEST_LAG_S * rate_hz)))
    both = known[:, 1:] & known[:, :-1]
    found = np.where(both[..., None, None], found, 0)
    similar = [_correlation(found, true, both, shift) for shift in range(-steps, steps + 1)]
    best = int(np.clip(np.argmax(similar), 1, len(similar) - 2))
    low, middle, high = similar[best - 1 : best + 2]
    return float((best - steps + 0.5 * (low - high) / (low - 2 * middle + high)) / rate_hz)


def _correlation(found: Floats, true: Floats, both: Bools, shift: int) -> float:
    """Of velocities (S, T, J, 3), the found ones ``shift`` images later."""
    a, b = found[:, max(shift, 0) :][:, : min(0, shift) or None], true[:, max(-shift, 0) :][:, : -max(shift, 0) or None]
    weight = both[:, max(shift, 0) :][:, : min(0, shift) or None][..., None, None]
    return float((a * b * weight).sum() / np.sqrt((a * a * weight).sum() * (b * b * weight).sum()))


def bone_variation(output: Output, truth: Sequences) -> float:
    """Mean over bones of the deviation of their length over time, percent of it, from the second second on."""
    known = output.known & (truth.stamps - truth.stamps[:, :1] >= _SETTLED_S)
    length = np.linalg.norm(output.joints[:, :, 1:] - output.joints[:, :, SMPL_PARENTS[1:]], axis=-1)
    varied = [
        person[seen].std(0) / person[seen].mean(0) for person, seen in zip(length, known, strict=True) if seen.any()
    ]
    return 100 * float(np.mean(varied)) if varied else float("nan")


def bends(joints: Floats, chains: list[list[int]]) -> Floats:
    """(..., 24, 3) -> (..., C) degrees by which each of C chains of three joints is bent; 0: straight."""
    first, middle, last = (joints[..., [chain[k] for chain in chains], :] for k in range(3))
    a, b = middle - first, last - middle
    cosine = (a * b).sum(-1) / np.maximum(np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1), 1e-9)
    return np.asarray(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def bend_bias(output: Output, truth: Sequences, chains: list[list[int]]) -> tuple[float, ...]:
    """Median difference from the true angle, degrees, for each of BENDS_DEG; NaN where no one bends so."""
    known = output.known & truth.known[..., 0]
    found, true = (bends(joints[known], chains).ravel() for joints in (output.joints, truth.joints))
    groups = [(true >= low) & (true < high) for low, high in BENDS_DEG]
    return tuple(float(np.median(found[g] - true[g])) if g.any() else float("nan") for g in groups)


def joint_distances(output: Output, truth: Sequences, chosen: Bools) -> tuple[Bools, Floats]:
    """Which (S, T) of the ``chosen`` images have a covariance, and the Mahalanobis distances (N, 23) of joints."""
    known = output.known & truth.known[..., 0] & chosen & np.isfinite(output.covariance).all((2, 3, 4))
    error = (output.joints - truth.joints)[known][:, 1:]
    solved = np.linalg.solve(output.covariance[known][:, 1:], error[..., None])[..., 0]
    return known, np.asarray(np.sqrt((error * solved).sum(-1)))


def covered(output: Output, truth: Sequences, chosen: Bools) -> tuple[float, ...]:
    """Percent of the joints within the regions of each level, in the ``chosen`` (S, T) images; () without regions."""
    _, distance = joint_distances(output, truth, chosen)
    if not output.radii or not len(distance):
        return ()
    return tuple(100 * float((distance <= radius).mean()) for radius in output.radii)
