# SPDX-License-Identifier: Apache-2.0
"""Random body poses: mocap frames, recombined and perturbed, with the sitting, lying and crouching it lacks.

Everything is a function of a numpy Generator, vectorised over the batch. Poses are SMPL axis-angle (B, 24, 3) with the
body upright along +y and facing +z; the root rotation holds lean and heading, so a random heading is added here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from hmr_ros.core.arrays import Bools, Float32s, Float64s, Floats, Int64s
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.settings import setting
from hmr_ros.core.skeleton import SMPL
from hmr_ros.training.datasets.motion import Motion, mirror
from hmr_ros.training.synthetic.pose_distance import evenly, sparseness
from hmr_ros.training.synthetic.postures import posture_of


class PoseKind(IntEnum):
    """Where a pose came from."""

    MOTION = 0
    SITTING = 1
    LYING = 2
    CROUCHING = 3


_LEGS = np.array([SMPL.index(f"{side}_{joint}") for joint in ("hip", "knee", "ankle") for side in ("left", "right")])
_LOWER = np.array([SMPL.index("pelvis"), *_LEGS, SMPL.index("left_foot"), SMPL.index("right_foot")])
_LIMBS = {
    "arm": ("collar", "shoulder", "elbow", "wrist", "hand"),
    "leg": ("hip", "knee", "ankle", "foot"),
    "trunk": ("spine1", "spine2", "spine3", "neck", "head"),
}


def _limb(joint: str) -> str:
    """Which limb a joint belongs to, "left arm" say; "" for the pelvis."""
    side, _, part = joint.rpartition("_")
    return next((f"{side} {limb}" for limb, parts in _LIMBS.items() if part in parts), "")


_LIMB_NAMES = sorted({_limb(joint) for joint in SMPL.joints} - {""})
_LIMB_OF_JOINT = np.array([_LIMB_NAMES.index(_limb(joint)) if _limb(joint) else -1 for joint in SMPL.joints])
_SHOULDERS = np.array([SMPL.index("left_shoulder"), SMPL.index("right_shoulder")])
_ELBOWS = np.array([SMPL.index("left_elbow"), SMPL.index("right_elbow")])

_DEGREE = np.pi / 180


@dataclass(frozen=True)
class PoseMix:
    """How often each source of poses is drawn (the rest is plain motion), and how poses are varied."""

    sitting: float = setting(0.08, doc="fraction of sitting people", low=0, high=1)
    lying: float = setting(0.05, doc="fraction of lying people", low=0, high=1)
    crouching: float = setting(0.04, doc="fraction of crouching people", low=0, high=1)
    low: float = setting(
        0.0, doc="fraction whose legs and root come from a frame with bent knees or hips", low=0, high=1
    )
    density: float = setting(
        0.0,
        doc="weigh recorded frames by this power of their distance from similar ones; 0: by the sizes of categories",
        low=0,
    )
    by_posture: float = setting(
        0.0,
        doc="fraction of frames that are drawn as often from each posture: upright, reaching, bending, seated, "
        "kneeling, rising, lying",
        low=0,
        high=1,
    )
    kneeling: float = setting(0.0, doc="fraction whose legs kneel, on one knee or both", low=0, high=1)
    reaching: float = setting(0.06, doc="fraction whose arms point somewhere random", low=0, high=1)
    recombined: float = setting(0.7, doc="fraction some of whose limbs come from another frame", low=0, high=1)
    perturbed: float = setting(0.6, doc="fraction whose joints are rotated at random", low=0, high=1)
    perturbation_rad: float = setting(0.15, doc="largest standard deviation of these rotations in rad", low=0, high=1)


def real_poses(mix: PoseMix) -> PoseMix:
    """``mix`` with frames as they were recorded: what networks are evaluated on. Sampled kinds of poses stay."""
    drawn_otherwise = {"low": 0.0, "density": 0.0, "by_posture": 0.0, "kneeling": 0.0}
    return replace(mix, **drawn_otherwise, reaching=0.0, recombined=0.0, perturbed=0.0)


class Poses(NamedTuple):
    """``rotvecs`` (B, 24, 3) rad; ``kind`` (B,) PoseKind; ``clip`` (B,) the motion clip each one began as."""

    rotvecs: Float32s
    kind: Int64s
    clip: Int64s


class PoseSource:
    """Draws poses from a motion file."""

    def __init__(self, motion: Motion, mix: PoseMix) -> None:
        self._frames, self._clips = motion.pose, motion.clip
        weights = frame_weights(motion, mix)
        self._cumulative = np.cumsum(weights)
        self._low = np.cumsum(weights * is_low(motion.pose)) if mix.low else self._cumulative
        self._mix = mix
        if not self._low[-1]:
            raise ValueError("poses.low: no frame of the motion has bent knees or hips; set it to 0")

    def sample(self, rng: Generator, count: int) -> Poses:
        """``count`` poses with random headings."""
        mix = self._mix
        pose, clip = self._motion_frames(rng, count, self._cumulative)
        swapped = _swapped_joints(mix.recombined, rng, count)
        pose[swapped] = self._motion_frames(rng, count, self._cumulative)[0][swapped]
        low = np.flatnonzero(rng.random(count) < mix.low) if mix.low else np.zeros(0, np.int64)
        pose[low[:, None], _LOWER] = self._motion_frames(rng, len(low), self._low)[0][:, _LOWER]
        special = (mix.sitting, mix.lying, mix.crouching)
        kind = rng.choice(len(PoseKind), size=count, p=(1 - sum(special), *special))
        _bend_legs(pose, kind == PoseKind.SITTING, _SITTING, rng)
        _bend_legs(pose, kind == PoseKind.CROUCHING, _CROUCHING, rng)
        if mix.kneeling:
            _kneel(pose, (rng.random(count) < mix.kneeling) & (kind == PoseKind.MOTION), rng)
        _reach(pose, rng.random(count) < mix.reaching, rng)
        amount = mix.perturbation_rad * rng.random((count, 1, 1)) * (rng.random((count, 1, 1)) < mix.perturbed)
        pose[:, 1:] += amount * rng.normal(size=(count, 23, 3))
        pose[:, 0] = _place_root(pose[:, 0], kind, rng)
        return Poses(pose, kind, clip)

    def _motion_frames(self, rng: Generator, count: int, cumulative: Float64s) -> tuple[Float32s, Int64s]:
        """Frames drawn by the ``cumulative`` (N,) sum of weights, half of them mirrored, and their clips."""
        drawn = rng.random(count) * cumulative[-1]
        frames = np.searchsorted(cumulative, drawn, side="right").clip(max=len(self._frames) - 1)
        pose = self._frames[frames]
        flip = rng.random(count) < 0.5
        pose[flip], _ = mirror(pose[flip], np.zeros(3))
        return pose, self._clips[frames]


def frame_weights(motion: Motion, mix: PoseMix) -> Float64s:
    """(N,) how often each frame of ``motion`` is drawn, as a fraction."""
    weights = motion.weights
    if mix.density:
        weights = sparseness(motion.pose) ** mix.density
        weights = weights / weights.sum()
    if mix.by_posture:
        weights = (1 - mix.by_posture) * weights + mix.by_posture * evenly(posture_of(motion.pose), weights)
    return weights


def is_low(pose: Floats) -> Bools:
    """Which ``pose`` (N, 24, 3) are low: knees bent by more than 55 degrees, or hips flexed by more than 60 (means)."""
    knees = np.linalg.norm(pose[:, [SMPL.index("left_knee"), SMPL.index("right_knee")]], axis=-1).mean(1)
    hips = -pose[:, [SMPL.index("left_hip"), SMPL.index("right_hip")], 0].mean(1)
    return np.asarray((knees > 55 * _DEGREE) | (hips > 60 * _DEGREE))


def _swapped_joints(fraction: float, rng: Generator, count: int) -> Bools:
    """(B, 24) joints of the limbs that a ``fraction`` of the poses take from another frame; the root never."""
    limbs = (rng.random((count, len(_LIMB_NAMES))) < 0.4) & (rng.random((count, 1)) < fraction)
    return np.concatenate([limbs, np.zeros((count, 1), np.bool_)], 1)[:, _LIMB_OF_JOINT]


@dataclass(frozen=True)
class _LegRange:
    """Ranges (low, high) in degrees: hip and knee flexion, hip abduction and twist, trunk lean, ankle."""

    hip: tuple[float, float]
    knee: tuple[float, float]
    abduction: tuple[float, float]
    twist: tuple[float, float]
    lean: tuple[float, float]
    ankle: tuple[float, float]
    asymmetry: float


_SITTING = _LegRange((60, 105), (40, 110), (-5, 30), (-20, 20), (-20, 35), (-15, 15), 12)
_CROUCHING = _LegRange((80, 135), (80, 145), (0, 40), (-15, 25), (0, 45), (-5, 30), 15)
_KNEELING = _LegRange((-5, 35), (0, 0), (-5, 20), (-15, 15), (-5, 35), (0, 45), 6)
_ON_HEELS = _LegRange((65, 90), (0, 0), (-5, 25), (-15, 15), (5, 30), (20, 50), 6)
"""Of who kneels; the knees follow from the shins, which lie on the ground."""

_STEPPING = (75, 105)
"""Degrees by which a thigh points before straight down whose foot stands before who kneels on the other leg."""

_SHARPEST_KNEE = 155 * _DEGREE


def _bend_legs(pose: Float32s, chosen: Bools, span: _LegRange, rng: Generator) -> None:
    """Overwrite the legs and the root's lean of the chosen poses (in place); arms and spine stay as they were."""
    n = int(chosen.sum())
    if n == 0:
        return

    def both_sides(low_high: tuple[float, float]) -> Float64s:
        shared = rng.uniform(*low_high, size=(n, 1))
        return (shared + rng.normal(0, span.asymmetry, (n, 2))) * _DEGREE

    outward = np.array([1.0, -1.0])
    hips = np.stack([-both_sides(span.hip), both_sides(span.twist) * outward, both_sides(span.abduction) * outward], -1)
    knees = np.stack([both_sides(span.knee).clip(0), rng.normal(0, 0.05, (n, 2)), rng.normal(0, 0.05, (n, 2))], -1)
    ankles = np.stack([both_sides(span.ankle), rng.normal(0, 0.1, (n, 2)), rng.normal(0, 0.1, (n, 2))], -1)
    legs = np.stack([hips, knees, ankles], 1).reshape(n, 6, 3)
    pose[np.nonzero(chosen)[0][:, None], _LEGS] = legs
    root = np.stack([rng.uniform(*span.lean, n), np.zeros(n), rng.normal(0, 6, n)], -1) * _DEGREE
    pose[chosen, 0] = root


def _kneel(pose: Float32s, chosen: Bools, rng: Generator) -> None:
    """Put the chosen poses on their knees (in place): a half on both, a third on one, the rest sit on their heels."""
    how = rng.random(len(pose))
    _bend_legs(pose, chosen & (how < 5 / 6), _KNEELING, rng)
    _bend_legs(pose, chosen & (how >= 5 / 6), _ON_HEELS, rng)
    _lay_shins(pose, np.flatnonzero(chosen), _LEGS[:4].reshape(2, 2).T, np.pi / 2, rng)
    one = np.flatnonzero(chosen & (how < 1 / 3))
    leg = _LEGS.reshape(3, 2)[:, rng.integers(0, 2, len(one))].T  # hip, knee, ankle of the one that stands before
    pose[one, leg[:, 0], 0] = -rng.uniform(*_STEPPING, len(one)) * _DEGREE - pose[one, 0, 0]
    pose[one, leg[:, 2], 0] = rng.uniform(-10, 25, len(one)) * _DEGREE
    for side in (0, 1):
        _lay_shins(pose, one[leg[:, 0] == _LEGS[side]], _LEGS[:4].reshape(2, 2).T[side, None], 0.0, rng)


def _lay_shins(pose: Float32s, people: Int64s, legs: Int64s, back: float, rng: Generator) -> None:
    """Bend the knees of ``people`` (n,) so that their shins point about ``back`` rad behind straight down (in place).

    ``legs`` (L, 2) hip and knee of each.
    """
    thigh = -pose[people[:, None], legs[:, 0], 0] - pose[people, 0, 0][:, None]  # before straight down
    knees = thigh + back + rng.normal(0, 6, thigh.shape) * _DEGREE
    pose[people[:, None], legs[:, 1], 0] = knees.clip(0, _SHARPEST_KNEE)


def _reach(pose: Float32s, chosen: Bools, rng: Generator) -> None:
    """Point one or both arms of the chosen poses somewhere in front of, beside or above the body (in place)."""
    n = int(chosen.sum())
    if n == 0:
        return
    arms = rng.random((n, 2)) < 0.65
    rest = np.array([[1.0, 0, 0], [-1.0, 0, 0]])
    target = rng.normal(size=(n, 2, 3)) + np.array([[0.6, 0.2, 0.9], [-0.6, 0.2, 0.9]])
    target /= np.linalg.norm(target, axis=-1, keepdims=True)
    axis = np.cross(np.broadcast_to(rest, target.shape), target)
    sine = np.linalg.norm(axis, axis=-1, keepdims=True)
    angle = np.arctan2(sine, (rest * target).sum(-1, keepdims=True))
    swing = rotvec_to_rotmat(axis / np.maximum(sine, 1e-9) * angle)
    twist = rotvec_to_rotmat(rest * rng.uniform(-1.2, 1.2, (n, 2, 1)))
    shoulders = rotmat_to_rotvec(swing @ twist)
    bend = rng.uniform(0, 110, (n, 2)) * _DEGREE
    elbows = np.stack([np.zeros_like(bend), bend * np.array([-1.0, 1.0]), np.zeros_like(bend)], -1)
    rows = np.nonzero(chosen)[0][:, None]
    pose[rows, _SHOULDERS] = np.where(arms[..., None], shoulders, pose[rows, _SHOULDERS])
    pose[rows, _ELBOWS] = np.where(arms[..., None], elbows, pose[rows, _ELBOWS])


def _place_root(root: Float32s, kind: Int64s, rng: Generator) -> Float32s:
    """Random heading for all; those lying are tipped over and rolled about their long axis.

    ``root`` (B, 3) rotation vectors, ``kind`` (B,) PoseKind -> (B, 3).
    """
    count = len(root)
    rotation = rotvec_to_rotmat(root.astype(np.float64))
    lying = kind == PoseKind.LYING
    n = int(lying.sum())
    if n:
        roll = _about("y", rng.uniform(-np.pi, np.pi, n))
        tip = _about("x", np.where(rng.random(n) < 0.5, 1, -1) * rng.uniform(70, 100, n) * _DEGREE)
        rotation[lying] = tip @ roll @ rotation[lying]
    heading = _about("y", rng.uniform(-np.pi, np.pi, count))
    return rotmat_to_rotvec(heading @ rotation).astype(np.float32)


def _about(axis: str, angle: Float64s) -> Floats:
    """(B, 3, 3) rotations by ``angle`` (B,) about a coordinate axis."""
    unit = np.eye(3)["xyz".index(axis)]
    return rotvec_to_rotmat(angle[:, None] * unit)
