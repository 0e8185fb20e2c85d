# SPDX-License-Identifier: Apache-2.0
"""Gestures of people, as hri_msgs/Gesture names them, from their bodies and, where they are seen, their hands.

Each has a *margin*: a number above 0 where its definition is met, about in units of the trunk's length, measured in the
person's own frame (x forward, y left, z to the head). One begins when its margin has been above 0 for a moment, and
ends when it has been below a lower bound for a moment. Thresholds were chosen on made sequences other than those that
docs/hands.md reports on (evaluation/gestures).
"""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from hmr_ros.core.arrays import Bools, Floats
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.people import Bodies
from hmr_ros.core.ros4hri.body_frame import body_frame
from hmr_ros.core.skeleton import MANO, SMPL

BEGINS_S, ENDS_S = 0.2, 0.3
"""How long the margin of a gesture is met before it begins, and missed before it ends."""
_GAP_S = 0.5
"""After a longer gap without the person all begins again."""


class Gesture(enum.IntEnum):
    """Gestures, numbered as in hri_msgs/Gesture."""

    HANDS_ON_FACE = 1
    """A hand, or both, touches or covers the face."""
    ARMS_CROSSED = 2
    LEFT_HAND_RAISED = 3
    RIGHT_HAND_RAISED = 4
    BOTH_HANDS_RAISED = 5
    WAVING = 6
    """A hand above the elbow swings from side to side."""


_RAISED_ABOVE, _RAISED_SLACK = 0.25, 0.10
"""A hand is raised when its wrist is so many trunks above the shoulder."""
_FACE_M, _FACE_SLACK_M = 0.2, 0.05
"""How far the middle of a hand on the face is from the middle of the face."""
_FACE_OF_HEAD = np.array([0.09, 0.0, 0.07])
"""m from SMPL's head joint to the middle of the face, in the head's frame with ROS axes."""
_CROSSED, _CROSSED_SLACK = 0.65, 0.15
"""How far the wrists of crossed arms are from the other arm's elbow, in trunks."""
_APART = 0.05
"""How far the wrists of crossed arms may be on their own sides, in trunks."""
_SWING, _SWING_SLACK = np.radians(26.0), np.radians(6.0)
"""How far the forearm of a waving hand swings from one side to the other, at least."""
_SWINGS, _WAVE_S = 3, 2.0
"""Swings, one after the other, that are waving, and the time within which they are."""
_ALIKE = 2.5
"""The largest of these swings is at most so many times the smallest: an arm that is raised swings out and in, once."""
_WAVING_ABOVE = 0.1
"""The wrist of a waving hand is so many trunks above its elbow."""

_SHOULDERS, _ELBOWS, _WRISTS, _HANDS = (
    [SMPL.index(f"{side}_{joint}") for side in ("left", "right")] for joint in ("shoulder", "elbow", "wrist", "hand")
)
_HIPS, _HEAD = [SMPL.index("left_hip"), SMPL.index("right_hip")], SMPL.index("head")
_KNUCKLE = MANO.index("middle1")

_ORDER = (
    Gesture.HANDS_ON_FACE,
    Gesture.WAVING,
    Gesture.ARMS_CROSSED,
    Gesture.BOTH_HANDS_RAISED,
    Gesture.LEFT_HAND_RAISED,
    Gesture.RIGHT_HAND_RAISED,
)
"""Which of several gestures at once is reported: the first."""


@dataclass(frozen=True, eq=False)
class _Posture:
    """P people in their own frames, m: ``joints`` (P, 24, 3), ``hands`` (P, 2, 3) middles of the hands, ``trunk``
    (P,) lengths, ``face`` (P, 3) middles of the faces.
    """

    joints: Floats
    hands: Floats
    trunk: Floats
    face: Floats


@dataclass(eq=False)
class _Person:
    """What is remembered of a person: per gesture whether it goes on and since when its condition is otherwise; of both
    hands the swings of the last moment: their ends as (stamp, angle), and the angle now.
    """

    stamp_s: float
    active: Bools = field(default_factory=lambda: np.zeros(len(_ORDER), np.bool_))
    otherwise_s: Floats = field(default_factory=lambda: np.full(len(_ORDER), np.nan))
    swings: tuple[deque[tuple[float, float]], deque[tuple[float, float]]] = field(
        default_factory=lambda: (deque(maxlen=32), deque(maxlen=32))
    )


class GestureRecognizer:
    """Recognises gestures of tracked people; call it with images in the order of their stamps."""

    def __init__(self) -> None:
        self._people: dict[int, _Person] = {}

    def __call__(self, bodies: Bodies, stamp_s: float) -> dict[int, Gesture]:
        """The gesture of each of ``bodies``, all valid and seen in the image at ``stamp_s``, by id; without those who
        make none.
        """
        posture = _posture(bodies)
        people = [self._remembered(track_id, stamp_s) for track_id in bodies.ids.tolist()]
        self._people = {i: p for i, p in self._people.items() if abs(stamp_s - p.stamp_s) <= _GAP_S}
        swings = [_swinging(person, posture, row, stamp_s) for row, person in enumerate(people)]
        margins, slack = _margins(posture, np.array(swings, np.float64).reshape(-1, 2))
        found = {}
        for row, (track_id, person) in enumerate(zip(bodies.ids.tolist(), people, strict=True)):
            _advance(person, margins[row], slack, stamp_s)
            if person.active.any():
                found[track_id] = _ORDER[int(person.active.argmax())]
        return found

    def _remembered(self, track_id: int, stamp_s: float) -> _Person:
        person = self._people.get(track_id)
        if person is None or not 0 <= stamp_s - person.stamp_s <= _GAP_S:
            person = self._people[track_id] = _Person(stamp_s)
        person.stamp_s = stamp_s
        return person


def _posture(bodies: Bodies) -> _Posture:
    root = rotvec_to_rotmat(bodies.global_orient.astype(np.float64))
    places, orientations = body_frame(root, bodies.joints)
    joints = (bodies.joints.astype(np.float64) - places[:, None]) @ orientations
    hands = joints[:, _HANDS]
    if bodies.hands is not None:
        palms = bodies.hands.joints[:, :, [0, _KNUCKLE]].astype(np.float64).mean(2)
        hands = np.where(bodies.hands.known[..., None], (palms - places[:, None]) @ orientations, hands)
    trunk = np.linalg.norm(joints[:, _SHOULDERS].mean(1) - joints[:, _HIPS].mean(1), axis=-1)
    return _Posture(joints, hands, np.maximum(trunk, 0.1), joints[:, _HEAD] + _FACE_OF_HEAD)


def _margins(posture: _Posture, swings: Floats) -> tuple[Floats, Floats]:
    """(P, 6) margins of the gestures in _ORDER, and (6,) how far below 0 one goes on; ``swings`` (P, 2) rad."""
    trunk = posture.trunk[:, None]
    wrists, elbows, shoulders = (posture.joints[:, rows] for rows in (_WRISTS, _ELBOWS, _SHOULDERS))
    raised = (wrists[..., 2] - shoulders[..., 2]) / trunk - _RAISED_ABOVE
    lifted = (wrists[..., 2] - elbows[..., 2]) / trunk - _WAVING_ABOVE
    to_face = np.linalg.norm(posture.hands - posture.face[:, None], axis=-1).min(1)
    across = np.linalg.norm(wrists - elbows[:, ::-1], axis=-1).max(1) / posture.trunk
    beyond = (wrists[:, 1, 1] - wrists[:, 0, 1]) / posture.trunk + _APART
    columns = {
        Gesture.WAVING: np.minimum(swings - _SWING, lifted).max(1),
        Gesture.HANDS_ON_FACE: _FACE_M - to_face,
        Gesture.ARMS_CROSSED: np.minimum(_CROSSED - across, beyond),
        Gesture.BOTH_HANDS_RAISED: raised.min(1),
        Gesture.LEFT_HAND_RAISED: raised[:, 0],
        Gesture.RIGHT_HAND_RAISED: raised[:, 1],
    }
    slack = {Gesture.WAVING: _SWING_SLACK, Gesture.HANDS_ON_FACE: _FACE_SLACK_M, Gesture.ARMS_CROSSED: _CROSSED_SLACK}
    return np.stack([columns[g] for g in _ORDER], 1), np.array([slack.get(g, _RAISED_SLACK) for g in _ORDER])


def _advance(person: _Person, margins: Floats, slack: Floats, stamp_s: float) -> None:
    """Let gestures begin and end, by their ``margins`` (6,) at ``stamp_s``."""
    met = margins > np.where(person.active, -slack, 0)
    otherwise = met != person.active
    began = np.where(np.isnan(person.otherwise_s), stamp_s, person.otherwise_s)
    person.otherwise_s = np.where(otherwise, began, np.nan)
    needed = np.where(person.active, ENDS_S, BEGINS_S)
    changes = otherwise & (stamp_s - person.otherwise_s >= needed - 1e-6)
    person.active = person.active ^ changes
    person.otherwise_s[changes] = np.nan


def _swinging(person: _Person, posture: _Posture, row: int, stamp_s: float) -> tuple[float, float]:
    """rad: of the left and the right forearm, the smallest of the last swings that make up waving; 0: too few."""
    forearm = posture.joints[row, _WRISTS] - posture.joints[row, _ELBOWS]
    length = np.maximum(np.linalg.norm(forearm, axis=-1), 1e-6)
    angles = np.arcsin(np.clip(forearm[:, 1] / length, -1, 1)).tolist()
    for ends, height in zip(person.swings, (forearm[:, 2] / posture.trunk[row]).tolist(), strict=True):
        if height < _WAVING_ABOVE / 2:
            ends.clear()
    left, right = (_swing(ends, stamp_s, angle) for ends, angle in zip(person.swings, angles, strict=True))
    return left, right


def _swing(ends: deque[tuple[float, float]], stamp_s: float, angle: float) -> float:
    """Update the ``ends`` of swings, the last of which still moves, by the ``angle`` now; see _swinging."""
    if len(ends) >= 2 and (angle - ends[-1][1]) * (ends[-1][1] - ends[-2][1]) >= 0:
        ends[-1] = (stamp_s, angle)
    elif not ends or abs(angle - ends[-1][1]) > _SWING / 2:
        ends.append((stamp_s, angle))
    swings = np.abs(np.diff([a for stamp, a in ends if stamp_s - stamp <= _WAVE_S]))
    runs = [swings[k : k + _SWINGS] for k in range(len(swings) - _SWINGS + 1)]
    return max((float(run.min()) for run in runs if run.max() <= _ALIKE * run.min()), default=0.0)
