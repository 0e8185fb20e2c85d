# SPDX-License-Identifier: Apache-2.0
"""Synthetic right hands: open hands in poses within the limits of their fingers, and the 21 points a detector sees.

Points lie where MediaPipe's network puts them on the open hand (HandModel.landmark_offsets), with errors as large as it
makes on rendered hands, of which a part is common to a finger.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from hmr_ros.core.arrays import Bools, Float32s, Floats
from hmr_ros.core.body.hand_model import HAND_TREE, HandModel
from hmr_ros.core.body.skinning import world_rotations
from hmr_ros.core.fitting.hand_pose import finger_rotations
from hmr_ros.core.geometry.rotation import quat_to_rotmat, rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.records import Record
from hmr_ros.core.settings import setting
from hmr_ros.core.skeleton import HAND, MANO

_FINGERS = ("index", "middle", "pinky", "ring")
_ALL = (*_FINGERS, "thumb")
_APART_M = 0.0089
"""Smallest distance of the middle lines of two fingers, whose radius is about 6 mm; flesh gives way."""
_ABOVE_PALM_M = 0.003
"""Smallest height of the outer phalanges above the middle of the palm."""
_OF_MIDDLE = 0.62
"""Last joints bend with the middle ones, by this fraction of their angle."""


@dataclass(frozen=True)
class HandMix:
    """How hands are drawn."""

    fists: float = setting(0.15, doc="fraction of closed hands: fists, and grips of thin things", low=0, high=1)
    flat: float = setting(0.1, doc="fraction of nearly open hands", low=0, high=1)
    children: float = setting(0.1, doc="fraction of children's hands", low=0, high=1)
    nearest_m: float = setting(0.3, doc="smallest distance", low=0.05)
    farthest_m: float = setting(3.0, doc="largest distance", low=0.05)
    error: float = setting(0.027, doc="median error of a point, as a fraction of the hand's size in the image", low=0)
    exact: float = setting(0.15, doc="fraction of hands whose points are exact", low=0, high=1)
    outliers: float = setting(0.03, doc="fraction of points that are far off", low=0, high=1)
    missing: float = setting(0.1, doc="fraction of hands that lack some points", low=0, high=1)


@dataclass(frozen=True, eq=False)
class HandDraws(Record):
    """N right hands: ``orient`` (N, 3) and ``pose`` (N, 15, 3) rotvecs, ``betas`` (N, 10), ``wrist`` (N, 3) m, optical
    frame, as HandModel.posed takes them.
    """

    orient: Floats
    pose: Floats
    betas: Floats
    wrist: Floats


@dataclass(frozen=True, eq=False)
class PlacedHands(Record):
    """N hands in the camera's optical frame: ``vertices`` (N, 778, 3) and ``joints`` (N, 21, 3) m; ``exact`` (N, 21,
    2), x/z and y/z of the points that a detector sees if it makes no error.
    """

    vertices: Float32s
    joints: Float32s
    exact: Floats


@dataclass(frozen=True, eq=False)
class HandBatch(Record):
    """N hands in the camera's optical frame: ``vertices`` (N, 778, 3) and ``joints`` (N, 21, 3) m.

    ``normalized`` (N, 21, 2), x/z and y/z of the points that are seen, and their ``score`` (N, 21), 0 missing;
    ``exact`` (N, 21, 2) of the points without error; ``world`` (N, 21, 3) m, the detector's own estimate in the axes of
    the frame, zeros where it gives none.
    """

    vertices: Float32s
    joints: Float32s
    normalized: Float32s
    score: Float32s
    exact: Float32s
    world: Float32s


class HandSampler:
    """Draws hands; the same generator draws the same."""

    def __init__(self, hand: HandModel, mix: HandMix) -> None:
        """``hand`` is the open hand, right: its file says how fingers bend, and where points lie."""
        if hand.fingers is None or hand.landmark_offsets is None or hand.side != "right":
            raise ValueError(
                "expected the shipped open_hand.npz, right: it says how fingers bend, and where points lie"
            )
        self._hand, self._mix = hand, mix
        self._limits, self._axes = hand.fingers.limits.astype(np.float64), hand.fingers.axes.astype(np.float64)
        self._offsets = hand.landmark_offsets
        self._palm_m = palm_lengths(hand.rest_keypoints(np.zeros((1, 10))))[0]

    def sample(self, rng: Generator, count: int) -> HandBatch:
        """``count`` hands anywhere in the field of view, in any orientation, as a detector sees them."""
        hands = self.placed(self.draw(rng, count))
        exact, none = np.asarray(hands.exact, np.float32), np.zeros_like(hands.joints)
        return HandBatch(hands.vertices, hands.joints, *self.observed(rng, hands), exact, none)

    def observed(self, rng: Generator, hands: PlacedHands) -> tuple[Float32s, Float32s]:
        """x/z and y/z (N, 21, 2) of the points of ``hands`` with errors, and their scores (N, 21), 0 missing."""
        seen = np.asarray(hands.exact + point_errors(self._mix, rng, hands.exact), np.float32)
        return seen, self._scores(rng, len(hands))

    def draw(self, rng: Generator, count: int) -> HandDraws:
        """``count`` hands anywhere in the field of view, in any orientation."""
        pose = self._poses(rng, count)
        betas = self._betas(rng, count)
        orient = rotmat_to_rotvec(quat_to_rotmat(_unit(rng.normal(size=(count, 4)))))
        return HandDraws(orient, pose, betas, self._positions(rng, count))

    def placed(self, draws: HandDraws) -> PlacedHands:
        """The meshes of ``draws``, and where a detector sees their points."""
        posed = self._hand.posed(draws.orient, draws.pose, draws.betas, draws.wrist)
        joints = self._hand.keypoints(posed)
        exact = _projected(self._points(joints, draws.orient, draws.pose))
        return PlacedHands(np.asarray(posed.vertices, np.float32), np.asarray(joints, np.float32), exact)

    def _poses(self, rng: Generator, count: int) -> Floats:
        """(count, 15, 3) rotation vectors of hands that do not pass through themselves."""
        kept: list[Floats] = [np.zeros((0, HAND.size - 1, 3))]
        while sum(map(len, kept)) < count:
            angles = self.draw_angles(rng, 2 * count + 8)
            pose = rotmat_to_rotvec(finger_rotations(angles, self._axes))
            still = np.zeros((len(pose), 10))
            posed = self._hand.posed_joints(np.zeros((len(pose), 3)), pose, still)
            kept.append(pose[~self_penetrating(_with_tips(self._hand, posed, pose))])
        return np.concatenate(kept)[:count]

    def draw_angles(self, rng: Generator, count: int) -> Floats:
        """(count, 15, 2) rad flexion and abduction within the limits; about half of the hands share a curl."""
        low, high = np.moveaxis(self._limits[:, :2], -1, 0)
        fraction = rng.beta(1.1, 1.1, (count, HAND.size - 1, 2))
        closed = rng.random(count) < self._mix.fists
        curl = np.where(closed, rng.uniform(0.85, 1, count), rng.beta(0.9, 1.1, count))
        shared = closed | (rng.random(count) < 0.55)
        for finger in _FINGERS:
            self._curl(rng, fraction, finger, curl, shared, closed)
        angles = low + fraction * (high - low)
        angles[rng.random(count) < self._mix.flat] *= 0.35
        knuckles = [HAND.index(f"{finger}1") - 1 for finger in _FINGERS]
        # Bent knuckles spread less.
        angles[:, knuckles, 1] *= np.clip(1 - angles[:, knuckles, 0] / np.radians(110), 0.15, 1)
        return np.asarray(angles)

    def _curl(self, rng: Generator, fraction: Floats, finger: str, curl: Floats, shared: Bools, closed: Bools) -> None:
        """Set ``fraction`` (N, 15, 2) of a finger's range of flexion by the hand's ``curl`` (N,), in place."""
        first, middle, last = (HAND.index(f"{finger}{k}") - 1 for k in (1, 2, 3))
        count, spread = len(curl), np.where(closed, 0.06, 0.12)
        own = np.where(shared, curl + spread * rng.normal(size=count), fraction[:, first, 0])
        free = ~closed & (rng.random(count) < 0.25)
        fraction[:, first, 0] = np.clip(np.where(free, rng.random(count), own), 0, 1)
        follows = closed | (rng.random(count) < 0.7)
        bent = own + np.where(closed, 0.06, 0.2) * rng.normal(size=count)
        fraction[:, middle, 0] = np.clip(np.where(follows, bent, fraction[:, middle, 0]), 0, 1)
        low, high = self._limits[:, 0, 0], self._limits[:, 0, 1]
        angle = low[middle] + fraction[:, middle, 0] * (high - low)[middle]
        angle = _OF_MIDDLE * angle + np.radians(9) * rng.normal(size=count)
        fraction[:, last, 0] = np.clip((angle - low[last]) / (high - low)[last], 0, 1)

    def _betas(self, rng: Generator, count: int) -> Floats:
        betas = rng.normal(size=(count, 10))
        child = rng.random(count) < self._mix.children
        betas[:, 0] = 0.5 * betas[:, 0] - 1.3 * child
        return betas

    def _positions(self, rng: Generator, count: int) -> Floats:
        """(count, 3) m of wrists; nearness is uniform on a logarithmic scale."""
        near, far = self._mix.nearest_m, self._mix.farthest_m
        depth = near * (far / near) ** rng.random((count, 1))
        return np.concatenate([rng.uniform(-0.4, 0.4, (count, 2)) * depth, depth], 1)

    def _points(self, joints: Floats, orient: Floats, pose: Floats) -> Floats:
        """(N, 21, 3) m where the detector's points lie, ``joints`` (N, 21, 3) being those of the model."""
        rotations = rotvec_to_rotmat(np.concatenate([orient[:, None], pose], 1))
        bones = world_rotations(rotations, HAND_TREE)[:, _BONE_OF_POINT]
        scale = palm_lengths(joints) / self._palm_m
        return np.asarray(joints + scale[:, None, None] * np.einsum("nkij,kj->nki", bones, self._offsets))

    def _scores(self, rng: Generator, count: int) -> Float32s:
        """(N, 21): 1, and 0 of points that are missing."""
        score = np.ones((count, MANO.size), np.float32)
        lacking = rng.random(count) < self._mix.missing
        score[lacking] = rng.random((int(lacking.sum()), MANO.size)) > rng.uniform(0, 0.4, (int(lacking.sum()), 1))
        return score


def point_errors(mix: HandMix, rng: Generator, exact: Floats) -> Floats:
    """(N, 21, 2) errors of ``exact`` points in their unit, a part common to each finger, some far off."""
    count = len(exact)
    size = np.linalg.norm(np.ptp(exact, axis=1), axis=1)
    level = np.minimum(mix.error * np.exp(0.65 * rng.normal(size=count)), 0.15)
    level = np.where(rng.random(count) < mix.exact, 0, level) * size
    own = 0.8 * rng.normal(size=exact.shape)
    common = 0.6 * rng.normal(size=(count, 1 + len(_ALL), 2))[:, _GROUP_OF_POINT]
    far = 2.5 * rng.normal(size=exact.shape) * (rng.random((*exact.shape[:2], 1)) < mix.outliers)
    return np.asarray(level[:, None, None] * (own + common + far))


def self_penetrating(joints: Floats) -> Bools:
    """(N,) whether fingers of hands with ``joints`` (N, 21, 3) m pass through each other, or through the palm."""
    lines = [_along(joints, finger) for finger in _ALL]
    penetrating = np.zeros(len(joints), np.bool_)
    for k, line in enumerate(lines):
        for other in lines[:k]:
            gaps = np.linalg.norm(line[:, :, None] - other[:, None], axis=-1)
            penetrating |= (gaps < _APART_M).any((1, 2))
    return penetrating | _in_palm(joints)


def _along(joints: Floats, finger: str) -> Floats:
    """(N, S, 3) points along a finger; of the thumb its outer half, as its root is flesh of the palm."""
    first = MANO.index(f"{finger}1")
    starts, ends = joints[:, first : first + 3], joints[:, first + 1 : first + 4]
    steps = (0.5, 0.95) if finger == "thumb" else (0.35, 0.65, 0.95)
    return np.concatenate([starts + step * (ends - starts) for step in steps], 1)


def _in_palm(joints: Floats) -> Bools:
    """(N,) whether outer joints of a finger are below the palm's surface, nearer to the wrist than the knuckles."""
    wrist = joints[:, MANO.index("wrist")]
    index, pinky = (joints[:, MANO.index(joint)] - wrist for joint in ("index1", "pinky1"))
    across = _unit(np.cross(index, pinky))
    thumb = np.einsum("ni,ni->n", across, joints[:, MANO.index("thumb2")] - wrist)
    across *= np.where(thumb < 0, -1, 1)[:, None]  # the thumb lies on the palm's side
    middle = joints[:, MANO.index("middle1")] - wrist
    outer = np.array([MANO.index(f"{finger}{k}") for finger in _FINGERS for k in (2, 3, 4)])
    reach = joints[:, outer] - wrist[:, None]
    along = np.einsum("nki,ni->nk", reach, middle) / np.einsum("ni,ni->n", middle, middle)[:, None]
    height = np.einsum("nki,ni->nk", reach, across)
    return np.asarray(((height < _ABOVE_PALM_M) & (along < 0.93)).any(1))


def _with_tips(hand: HandModel, joints: Floats, pose: Floats) -> Floats:
    """(N, 21, 3) m: ``joints`` (N, 16, 3) of hands in a ``pose`` (N, 15, 3), and their tips, without correctives."""
    rest = hand.rest_keypoints(np.zeros((1, 10)))[0]
    world = world_rotations(rotvec_to_rotmat(np.concatenate([np.zeros_like(pose[:, :1]), pose], 1)), HAND_TREE)
    points = np.zeros((len(joints), MANO.size, 3))
    for name in HAND.joints:
        points[:, MANO.index(name)] = joints[:, HAND.index(name)]
    for finger in _ALL:
        last, tip, bone = MANO.index(f"{finger}3"), MANO.index(f"{finger}4"), HAND.index(f"{finger}3")
        points[:, tip] = points[:, last] + world[:, bone] @ (rest[tip] - rest[last])
    return points


def palm_lengths(keypoints: Floats) -> Floats:
    """(N,) m from the wrist to the middle knuckle, of keypoints (N, 21, 3)."""
    wrist, knuckle = (keypoints[:, MANO.index(joint)] for joint in ("wrist", "middle1"))
    return np.asarray(np.linalg.norm(knuckle - wrist, axis=-1))


def _projected(points: Floats) -> Floats:
    return np.asarray(points[..., :2] / points[..., 2:])


def _unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12))


_BONE_OF_POINT = np.array([HAND.index(name.replace("4", "3")) for name in MANO.joints])
"""(21,) the joint whose bone each point of skeleton.MANO moves with."""

_GROUP_OF_POINT = np.array([0 if name == "wrist" else 1 + _ALL.index(name[:-1]) for name in MANO.joints])
"""(21,) 0 for the wrist, else the finger of each point."""
