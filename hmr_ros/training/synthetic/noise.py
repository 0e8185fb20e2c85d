# SPDX-License-Identifier: Apache-2.0
"""Errors that a 2D pose detector makes, drawn onto true keypoints (training and evaluation only).

Two models, both Pose2Mesh's (ECCV 2020, section 4.1 and its published training code):

* ``human36m_noise``: per joint a Gaussian fitted to a detector's errors on Human3.6M;
* ``coco_noise``: the error taxonomy of PoseFix (CVPR 2019): a joint is *good*, *jittered*, *missed* or *inverted*
  (found at its left-right partner), at a distance set by the keypoint similarity of that class. The fifth class,
  swap with another person, has probability 0 in Pose2Mesh and is absent here.

The published code draws 125 to 2000 candidates per joint and class and picks one that keeps its distance from the
other joint of the pair; drawing until one does is the same distribution, over a whole batch at once. As there, right
joints are drawn after the left ones and keep their distance from the erroneous left ones.

Additions to it, marked below: heels and toes (as ankles) and the SMPL joints (each as the COCO joint beside it).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from hmr_ros.core.arrays import Bools, Float32s, Floats, Ints
from hmr_ros.core.records import Record
from hmr_ros.core.skeleton import COCO, COCO17, HUMAN36M, JOINT_SETS, JointSet

FRAME_SIZE = (288, 384)
"""Width and height in px of the person frame in which errors are defined (the detector's input)."""

MIDPOINTS = {"pelvis": ("left_hip", "right_hip"), "neck": ("left_shoulder", "right_shoulder")}
"""Joints of the set "coco" that no detector finds: halfway between two that it does."""

Midpoints = Literal["clean", "recomputed"]

# --- human36m: mean x, mean y, deviation x, deviation y in px of a 256 x 256 frame, probability of any error
_HUMAN36M_ERROR = {
    "pelvis": (-0.06, -2.37, 1.33, 2.13, 1.00),
    "right_hip": (-0.83, -2.07, 3.41, 2.69, 1.00),
    "right_knee": (-0.04, -1.01, 1.74, 2.20, 0.95),
    "right_ankle": (0.52, -3.40, 1.39, 2.14, 0.93),
    "left_hip": (0.78, -2.79, 3.26, 2.28, 1.00),
    "left_knee": (0.42, -0.15, 1.53, 1.99, 0.94),
    "left_ankle": (-0.15, -3.78, 1.39, 2.39, 0.93),
    "torso": (-0.05, 0.10, 1.36, 1.74, 0.99),
    "neck": (0.14, -2.56, 1.18, 1.15, 0.99),
    "nose": (0.13, -0.26, 0.78, 0.59, 0.98),
    "head_top": (0.09, 0.49, 1.35, 0.87, 0.99),
    "left_shoulder": (-0.19, 0.31, 2.51, 1.48, 0.99),
    "left_elbow": (0.11, -0.60, 1.79, 1.76, 0.95),
    "left_wrist": (-0.02, 0.88, 2.02, 2.10, 0.91),
    "right_shoulder": (0.52, -0.12, 2.23, 1.73, 0.99),
    "right_elbow": (0.06, -0.44, 1.93, 1.63, 0.95),
    "right_wrist": (0.05, 0.16, 2.02, 2.24, 0.90),
}
_FRAME_FROM_256 = np.array(FRAME_SIZE, np.float32) / 256

# --- COCO: sigma of the keypoint similarity; probabilities of jitter, miss and inversion (the rest is good)
_COCO_ERROR = {
    "nose": (0.026, 0.10, 0.02, 0.01),
    "eye": (0.025, 0.15, 0.02, 0.01),
    "ear": (0.035, 0.15, 0.02, 0.01),
    "shoulder": (0.079, 0.15, 0.05, 0.03),
    "elbow": (0.072, 0.15, 0.10, 0.03),
    "wrist": (0.062, 0.15, 0.10, 0.03),
    "hip": (0.107, 0.20, 0.10, 0.06),
    "knee": (0.087, 0.10, 0.10, 0.06),
    "ankle": (0.089, 0.10, 0.05, 0.06),
}
# Ours: the same of MoveNet Thunder, as the detector uses it, on 187 rendered people of held-out subjects (those with a
# score of 0.3 or more). Rendered faces are no measure of real ones.
_MOVENET_ERROR = _COCO_ERROR | {
    "shoulder": (0.079, 0.06, 0.07, 0.08),
    "elbow": (0.072, 0.13, 0.07, 0.09),
    "wrist": (0.062, 0.10, 0.08, 0.12),
    "hip": (0.107, 0.08, 0.04, 0.04),
    "knee": (0.087, 0.05, 0.06, 0.10),
    "ankle": (0.089, 0.03, 0.06, 0.10),
}
_ERRORS = {"coco": _COCO_ERROR, "movenet": _MOVENET_ERROR}
# Ours: whose errors a joint makes that COCO does not define.
_NEAREST_COCO = {"heel": "ankle", "toe": "ankle", "foot": "ankle", "hand": "wrist", "collar": "shoulder", "head": "ear"}
_NEAREST_COCO |= {"neck": "shoulder", "pelvis": "hip", "spine1": "hip", "spine2": "shoulder", "spine3": "shoulder"}
_NEAREST_COCO |= {"torso": "shoulder", "head_top": "ear"}

_GOOD, _JITTER, _MISS, _INVERSION = range(4)
_GOOD_SIMILARITY, _JITTER_SIMILARITY, _MISS_SIMILARITY = 0.85, 0.5, 0.1
_MISS_AT_PARTNER = 0.2
"""Fraction of the candidates for a miss that lie around the partner: a quarter of those around the joint itself."""
_ROUNDS = 40
"""At least half of all candidates pass, so after this many rounds one joint in 10^12 is left where it was."""


@dataclass(frozen=True, eq=False)
class Taxonomy:
    """PoseFix's error classes (good, jitter, miss, inversion) for one joint set, a row per joint.

    ``inner`` and ``outer`` (J, 4) distances of the error in units of sqrt(box area); ``probability`` (J, 4);
    ``partner`` (J,) left-right partner, the joint itself on the mid line.
    """

    inner: Floats
    outer: Floats
    probability: Floats
    partner: Ints

    def draw_kinds(self, strength: Floats, rng: np.random.Generator) -> Ints:
        """(B, J) error classes; ``strength`` (B, J) multiplies the probabilities of miss and inversion."""
        inversion = self.probability[:, _INVERSION] * strength
        gross = inversion + self.probability[:, _MISS] * strength
        fraction = rng.random(strength.shape, np.float32)
        below = [fraction < inversion, fraction < gross, fraction < gross + self.probability[:, _JITTER]]
        return np.select(below, [_INVERSION, _MISS, _JITTER], _GOOD)


def _error_class(joint: str) -> str:
    kind = joint.removeprefix("left_").removeprefix("right_")
    return _NEAREST_COCO.get(kind, kind)


def _similarity_distance(similarity: float, sigma: Floats) -> Floats:
    """Distance, in units of sqrt(box area), at which the COCO keypoint similarity has dropped to ``similarity``."""
    return np.asarray(2 * sigma * np.sqrt(-2 * np.log(similarity)))


@cache
def taxonomy(joint_set: JointSet, model: str = "coco") -> Taxonomy:
    """The error classes of ``joint_set`` by the error ``model``, "coco" or "movenet"."""
    sigma, jitter, miss, inversion = np.array([_ERRORS[model][_error_class(j)] for j in joint_set.joints]).T
    alone = joint_set.mirror == np.arange(joint_set.size)
    probability = np.stack([1 - jitter - miss - inversion, jitter, miss, np.where(alone, 0, inversion)], 1)
    probability /= probability.sum(1, keepdims=True)
    near, middle, far = (
        _similarity_distance(s, sigma) for s in (_GOOD_SIMILARITY, _JITTER_SIMILARITY, _MISS_SIMILARITY)
    )
    zero = np.zeros_like(sigma)
    return Taxonomy(
        inner=np.stack([zero, near, middle, zero], 1).astype(np.float32),
        outer=np.stack([near, middle, far, middle], 1).astype(np.float32),
        probability=probability.astype(np.float32),
        partner=joint_set.mirror,
    )


@dataclass(frozen=True, eq=False)
class _Pending(Record):
    """M joints that wait for an erroneous position: the joint, its partner, the error class, the ring of distances."""

    true: Floats
    partner: Floats
    paired: Bools
    kind: Ints
    inner: Floats
    outer: Floats


def _propose(joints: _Pending, rng: np.random.Generator) -> tuple[Floats, Bools]:
    """One candidate (M, 2) per joint, and whether it keeps its distance from the other joint of the pair."""
    fraction, radius, angle = rng.random((3, len(joints.kind)), np.float32)
    at_partner = (joints.kind == _INVERSION) | ((joints.kind == _MISS) & joints.paired & (fraction < _MISS_AT_PARTNER))
    radius = joints.inner + (joints.outer - joints.inner) * radius
    angle *= 2 * np.pi
    offset = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
    candidate = np.where(at_partner[:, None], joints.partner, joints.true) + offset
    away = candidate - np.where(at_partner[:, None], joints.true, joints.partner)
    clearance = np.where(joints.kind == _MISS, joints.inner, radius)
    return candidate, ~joints.paired | (np.hypot(away[:, 0], away[:, 1]) > clearance)


def _draw(joints: _Pending, rng: np.random.Generator) -> Floats:
    """Erroneous positions (M, 2): candidates are drawn until each joint has one that passes."""
    drawn = joints.true.copy()
    open_rows = np.arange(len(drawn))
    for _ in range(_ROUNDS):
        candidate, kept = _propose(joints, rng)
        drawn[open_rows[kept]] = candidate[kept]
        open_rows, joints = open_rows[~kept], joints.take(~kept)
        if not len(open_rows):
            break
    return drawn


def _box_size(kp2d: Floats) -> Floats:
    """(B, 2) width and height of the tight boxes around ``kp2d`` (B, J, 2)."""
    return np.asarray(kp2d.max(1) - kp2d.min(1))


def _taxonomy_error(
    kp2d: Floats, joint_set: JointSet, rng: np.random.Generator, strength: Floats | float, model: str = "coco"
) -> Float32s:
    """PoseFix errors on ``kp2d`` (B, J, 2) px of any scale: all distances follow the size of the tight box."""
    table = taxonomy(joint_set, model)
    out = np.array(kp2d, np.float32)
    strength = np.broadcast_to(np.asarray(strength, np.float32), out.shape[:2])
    size = np.sqrt(_box_size(out).prod(1))[:, None] * strength
    kind = table.draw_kinds(strength, rng)
    number = np.arange(joint_set.size)
    for joints in (number[number <= table.partner], number[number > table.partner]):  # left joints, then right ones
        pending = _Pending(
            true=out[:, joints].reshape(-1, 2),
            partner=out[:, table.partner[joints]].reshape(-1, 2),
            paired=np.tile(table.partner[joints] != joints, len(out)),
            kind=kind[:, joints].ravel(),
            inner=(table.inner[joints, kind[:, joints]] * size[:, joints]).ravel(),
            outer=(table.outer[joints, kind[:, joints]] * size[:, joints]).ravel(),
        )
        out[:, joints] = _draw(pending, rng).reshape(len(out), len(joints), 2)
    return out


def _check_joints(kp2d: Floats, joint_set: JointSet) -> None:
    if kp2d.ndim != 3 or kp2d.shape[1:] != (joint_set.size, 2):
        raise ValueError(f"kp2d: expected shape (B, {joint_set.size}, 2) for {joint_set.name!r}, got {kp2d.shape}")


def frame_scale(kp2d: Floats) -> Floats:
    """(B,) image px per px of the person frame: the tight box of ``kp2d`` (B, J, 2), padded to 288:384."""
    return np.asarray((_box_size(kp2d) / np.array(FRAME_SIZE, np.float32)).max(1))


def human36m_noise(
    kp2d: Floats, rng: np.random.Generator, strength: Floats | float = 1.0, joint_set: JointSet = HUMAN36M
) -> Float32s:
    """Human3.6M detector errors on ``kp2d`` (B, J, 2), px of the 288 x 384 frame (Pose2Mesh's "human36" set).

    ``strength``, a number or (B, J), multiplies the displacements; 1 is the paper's, 0 no error. Joints of other sets
    err as the Human3.6M joint of their name or nearest to them (ours).
    """
    _check_joints(kp2d, joint_set)
    table = human36m_table(joint_set)
    error = rng.standard_normal(kp2d.shape, np.float32) * table[:, 2:4] + table[:, :2]
    occurs = rng.random(kp2d.shape[:2], np.float32) < table[:, 4]
    scale = occurs * np.asarray(strength, np.float32)
    return np.asarray(kp2d + error * _FRAME_FROM_256 * scale[..., None], np.float32)


@cache
def human36m_table(joint_set: JointSet) -> Floats:
    """(J, 5) rows of ``_HUMAN36M_ERROR``; face points err as the nose, heels and toes as the ankle."""

    def row(joint: str) -> tuple[float, ...]:
        for part in ("heel", "toe", "foot"):
            joint = joint.replace(part, "ankle")
        return _HUMAN36M_ERROR.get(joint, _HUMAN36M_ERROR["nose"])

    return np.array([row(joint) for joint in joint_set.joints], np.float32)


def coco_noise(kp2d: Floats, rng: np.random.Generator, strength: Floats | float = 1.0) -> Float32s:
    """PoseFix errors on ``kp2d`` (B, 17, 2) px, COCO order (Pose2Mesh's "coco" set).

    ``strength``, a number or (B, 17), multiplies the distances and the probabilities of misses and inversions; 1 is
    the paper's, 0 no error. Errors follow the size of the tight box, so the scale of the pixels does not matter.
    """
    _check_joints(kp2d, COCO17)
    return _taxonomy_error(kp2d, COCO17, rng, strength)


def synthetic_error(
    kp2d: Floats,
    joint_set: str,
    scale_px: Floats | None,
    rng: np.random.Generator,
    midpoints: Midpoints = "clean",
    strength: Floats | float = 1.0,
    model: str | None = None,
) -> Float32s:
    """Erroneous copy of true keypoints ``kp2d`` (B, J, 2), px of the image.

    ``joint_set`` is human36m, coco17, coco, coco_feet or smpl. ``scale_px`` (B,) is the ``frame_scale`` that the
    Human3.6M errors are drawn at (None: of all joints given; the other sets do not need it). ``midpoints`` says what
    becomes of pelvis and neck in "coco": "clean" keeps them true, as Pose2Mesh trains; "recomputed" takes them from
    the erroneous hips and shoulders, as at test time. ``strength``, a number or (B, J): 1 is the paper's, 0 no error.
    ``model``: how often joints err; "coco" has the paper's gross errors, "movenet" those of our detector, None is what
    the paper draws of the joint set: Human3.6M's own small errors of its joints, those of "coco" of all others.
    """
    joints = JOINT_SETS[joint_set]
    _check_joints(kp2d, joints)
    if joints is HUMAN36M and model is None:
        scale = (frame_scale(kp2d) if scale_px is None else np.asarray(scale_px))[:, None, None]
        return np.asarray(human36m_noise(kp2d / scale, rng, strength) * scale, np.float32)
    noisy = _taxonomy_error(kp2d, joints, rng, strength, model or "coco")
    for joint, (left, right) in MIDPOINTS.items() if joints is COCO else ():
        k = joints.index(joint)
        parts = [joints.index(left), joints.index(right)]
        noisy[:, k] = kp2d[:, k] if midpoints == "clean" else noisy[:, parts].mean(1)
    return noisy
