# SPDX-License-Identifier: Apache-2.0
"""Which keypoints an imperfect world leaves: occluders over people, single joints lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from hmr_ros.core.arrays import Bools, Float64s
from hmr_ros.core.settings import setting
from hmr_ros.core.skeleton import JointSet


@dataclass(frozen=True)
class OcclusionMix:
    """How often each kind of occlusion strikes a person (they may add up)."""

    half_plane: float = setting(0.15, doc="fraction cut by a straight edge: a table, a wall", low=0, high=1)
    rectangle: float = setting(0.15, doc="fraction with a rectangle in front of them", low=0, high=1)
    limb: float = setting(0.1, doc="fraction with one forearm or lower leg hidden", low=0, high=1)
    single_joints: float = setting(0.4, doc="fraction with single joints lost", low=0, high=1)
    single_joint_rate: float = setting(0.08, doc="how many of their joints are lost", low=0, high=1)
    group: float = setting(
        0.0, doc="fraction without face, feet, a whole side or lower body, as other detectors leave them", low=0, high=1
    )


_FACE, _FEET = ("nose", "eye", "ear"), ("heel", "toe")
GROUPS: Mapping[str, tuple[float, tuple[str, ...]]] = {
    "face": (0.35, _FACE),
    "feet": (0.3, _FEET),
    "face_and_feet": (0.15, _FACE + _FEET),
    "lower_body": (0.1, ("hip", "knee", "ankle", *_FEET)),
    "left": (0.05, ("left",)),
    "right": (0.05, ("right",)),
}
"""Groups of keypoints that are missing together: probability, and parts of the joints' names."""


_THERE = 0.7
"""Fraction of the time for which an occluder is before a person whom it hides."""


def in_group(joint_set: JointSet, name: str) -> Bools:
    """(J,) which joints are of the group ``name`` of GROUPS."""
    _, parts = GROUPS[name]
    return np.array([any(part in joint.split("_") for part in parts) for joint in joint_set.joints])


def sample_occlusion(pixels: Float64s, joint_set: JointSet, mix: OcclusionMix, rng: Generator) -> Bools:
    """(B, J) joints that stay visible, for keypoints ``pixels`` (B, J, 2).

    Half planes are tables and walls (most often they hide the legs), rectangles are things in front of a person,
    limbs are arms or legs hidden by the body itself, groups what hats and skirts hide or a detector does not know.
    """
    count, joints = pixels.shape[:2]
    low, high = pixels.min(1), pixels.max(1)
    place = (pixels - low[:, None]) / np.maximum(high - low, 1e-6)[:, None]

    hidden = _strike(mix.half_plane, count, rng) & _half_plane(place, rng)
    hidden |= _strike(mix.rectangle, count, rng) & _rectangle(place, rng)
    hidden |= _strike(mix.limb, count, rng) & _limb(joint_set, count, rng)
    hidden |= _strike(mix.single_joints, count, rng) & (rng.random((count, joints)) < mix.single_joint_rate)
    if mix.group:
        hidden |= _strike(mix.group, count, rng) & _group(joint_set, count, rng)
    return ~hidden


def occlusion_over_time(
    pixels: Float64s,
    joint_set: JointSet,
    mix: OcclusionMix,
    held: Callable[[Float64s, Generator], Float64s],
    rng: Generator,
) -> Bools:
    """(S, T, J) joints that stay visible in T images each, for keypoints ``pixels`` (S, T, J, 2).

    Occluders stay where they are in the person's box, but come and go together, and single joints alone: ``held`` keeps
    independent draws (S, T, J, K) for a while.
    """
    count, images, joints = pixels.shape[:3]
    low, high = pixels.min(2, keepdims=True), pixels.max(2, keepdims=True)
    place = ((pixels - low) / np.maximum(high - low, 1e-6)).reshape(count, -1, 2)
    hidden = _strike(mix.half_plane, count, rng) & _half_plane(place, rng)
    hidden |= _strike(mix.rectangle, count, rng) & _rectangle(place, rng)
    there = held(rng.random((count, images, joints, 1)), rng)[:, :, :1, 0] < _THERE
    always = _strike(mix.limb, count, rng) & _limb(joint_set, count, rng)
    if mix.group:
        always |= _strike(mix.group, count, rng) & _group(joint_set, count, rng)
    single = held(rng.random((count, images, joints, 1)), rng)[..., 0] < mix.single_joint_rate
    single &= _strike(mix.single_joints, count, rng)[..., None]
    return np.asarray(~(hidden.reshape(count, images, joints) & there | always[:, None] | single))


def _strike(probability: float, count: int, rng: Generator) -> Bools:
    return rng.random((count, 1)) < probability


def _half_plane(place: Float64s, rng: Generator) -> Bools:
    """Hide everything beyond a line across the person's box: from below (70 %), or from one side.

    ``place`` (B, J, 2) in units of the person's box -> (B, J).
    """
    count = len(place)
    edge = rng.uniform(0.35, 0.9, (count, 1))
    side = rng.random((count, 1))
    return np.where(
        side < 0.7, place[..., 1] > edge, np.where(side < 0.85, place[..., 0] > edge, 1 - place[..., 0] > edge)
    )


def _rectangle(place: Float64s, rng: Generator) -> Bools:
    """(B, J) joints inside a random rectangle; ``place`` (B, J, 2) in units of the person's box."""
    count = len(place)
    centre = rng.uniform(0, 1, (count, 1, 2))
    half = rng.uniform(0.08, 0.3, (count, 1, 2))
    return np.asarray((np.abs(place - centre) < half).all(-1))


def _limb(joint_set: JointSet, count: int, rng: Generator) -> Bools:
    """Hide one forearm or one lower leg."""
    limbs = [
        [i for i, j in enumerate(joint_set.joints) if j.startswith(side) and any(part in j for part in parts)]
        for side in ("left_", "right_")
        for parts in (("elbow", "wrist", "hand"), ("knee", "ankle", "heel", "toe", "foot"))
    ]
    member = np.zeros((len(limbs), joint_set.size), np.bool_)
    for row, limb in enumerate(limbs):
        member[row, limb] = True
    return member[rng.integers(len(limbs), size=count)]


def _group(joint_set: JointSet, count: int, rng: Generator) -> Bools:
    """(B, J) joints of one group each."""
    member = np.stack([in_group(joint_set, name) for name in GROUPS])
    return member[rng.choice(len(GROUPS), size=count, p=[probability for probability, _ in GROUPS.values()])]
