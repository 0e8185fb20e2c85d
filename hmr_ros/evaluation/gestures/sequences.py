# SPDX-License-Identifier: Apache-2.0
"""Made sequences of people who make a gesture for two seconds, or do something else with their arms.

Bodies stand; directions are in the body's frame, x forward, y left, z up. Each person has a shape, a way and a speed of
their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.ros4hri.gestures import Gesture

RATE_HZ = 15.0
_LEAD_S, _MOVE_S, _HOLD_S = 1.0, 0.5, 2.0
DURATION_S = 2 * _LEAD_S + 2 * _MOVE_S + _HOLD_S

_Rng = np.random.Generator


@dataclass(frozen=True, eq=False)
class Arms:
    """Unit directions (T, 2, 3) of upper arms and forearms, left first."""

    upper: Floats
    fore: Floats


def times() -> Floats:
    """(T,) s of the images of a sequence."""
    return np.arange(round(DURATION_S * RATE_HZ)) / RATE_HZ


def held(stamps: Floats) -> Floats:
    """(T,) 0..1: how far a person is in the pose that the sequence is about."""
    begins, ends = (stamps - _LEAD_S) / _MOVE_S, (DURATION_S - _LEAD_S - stamps) / _MOVE_S
    fraction = np.clip(np.minimum(begins, ends), 0, 1)
    return np.asarray(fraction * fraction * (3 - 2 * fraction))


def arms_of(kind: str, rng: _Rng) -> Arms:
    """The arms of a person in a sequence of one of KINDS."""
    stamps = times()
    fraction = held(stamps)[:, None, None]
    hanging = _hanging(rng)
    pose = KINDS[kind].pose(rng, stamps)
    return Arms(*(_unit((1 - fraction) * a + fraction * b) for a, b in zip(hanging, pose, strict=True)))


def _hanging(rng: _Rng) -> tuple[Floats, Floats]:
    upper = _both(rng, forward=(-0.15, 0.15), aside=(0.05, 0.25), up=(-1, -1))
    return upper, _both(rng, forward=(0.0, 0.4), aside=(-0.1, 0.15), up=(-1, -1))


def _both(
    rng: _Rng, forward: tuple[float, float], aside: tuple[float, float], up: tuple[float, float], alike: float = 0.8
) -> Floats:
    """(2, 3) directions of both arms, mirrored but for a fifth; ``aside`` is away from the body."""
    one = np.array([rng.uniform(*forward), rng.uniform(*aside), rng.uniform(*up)])
    other = np.array([rng.uniform(*forward), rng.uniform(*aside), rng.uniform(*up)])
    right = alike * one + (1 - alike) * other
    return np.stack([one, right * [1, -1, 1]])


_Pose = tuple[Floats, Floats]


def _raised(*sides: int) -> Callable[[_Rng, Floats], _Pose]:
    def pose(rng: _Rng, stamps: Floats) -> _Pose:
        upper, fore = _hanging(rng)
        raised = _both(rng, (-0.1, 0.8), (0.2, 1.0), (0.0, 1.0))
        forearms = _both(rng, (-0.1, 0.3), (-0.3, 0.3), (1, 1))
        for side in sides:
            upper[side], fore[side] = raised[side], forearms[side]
        return upper, fore

    return pose


def _waving(rng: _Rng, stamps: Floats) -> _Pose:
    side = int(rng.integers(2))
    upper, fore = (np.repeat(part[None], len(stamps), 0) for part in _hanging(rng))
    upper[:, side] = _both(rng, (0.0, 0.6), (0.2, 1.0), (-0.9, 0.4))[side]
    swing = np.radians(rng.uniform(15, 35)) * np.sin(2 * np.pi * rng.uniform(0.9, 2.2) * stamps + rng.uniform(0, 6))
    lean = swing + (-1) ** side * np.radians(rng.uniform(-10, 25))
    fore[:, side] = np.stack([np.full_like(lean, rng.uniform(0, 0.4)), np.sin(lean), np.cos(lean)], -1)
    return upper, fore


def _crossed(rng: _Rng, stamps: Floats) -> _Pose:
    upper = _both(rng, (0.15, 0.5), (-0.05, 0.25), (-1, -0.8))
    return upper, _both(rng, (0.2, 0.5), (-1.0, -0.9), (0.0, 0.35))


def _on_face(rng: _Rng, stamps: Floats) -> _Pose:
    """Hands, one or both, whose forearms point from the elbow at the face."""
    sides = [(0,), (1,), (0, 1)][int(rng.integers(3))]
    upper, fore = _hanging(rng)
    lifted = _both(rng, (0.75, 0.95), (0.0, 0.35), (-0.6, -0.2))
    bent = _both(rng, (-0.35, -0.15), (-0.6, -0.4), (1.0, 1.0))
    for side in sides:
        upper[side], fore[side] = lifted[side], bent[side]
    return upper, fore


def _pointing(rng: _Rng, stamps: Floats) -> _Pose:
    upper, fore = _hanging(rng)
    side = int(rng.integers(2))
    ahead = _both(rng, (0.8, 1.0), (-0.2, 0.6), (-0.5, 0.0))[side]
    upper[side], fore[side] = ahead, ahead
    return upper, fore


def _on_hips(rng: _Rng, stamps: Floats) -> _Pose:
    return _both(rng, (-0.3, 0.1), (0.6, 0.9), (-1, -1)), _both(rng, (0.1, 0.4), (-0.9, -0.7), (-0.8, -0.5))


def _holding(rng: _Rng, stamps: Floats) -> _Pose:
    """Something before the belly or the chest in both hands."""
    return _both(rng, (-0.1, 0.3), (0.1, 0.3), (-1, -1)), _both(rng, (0.7, 1.0), (-0.5, -0.1), (-0.2, 0.4))


def _walking(rng: _Rng, stamps: Floats) -> _Pose:
    swing = np.radians(rng.uniform(15, 35)) * np.sin(2 * np.pi * rng.uniform(0.8, 1.1) * stamps)
    signed = np.stack([swing, -swing], 1)
    upper = np.stack([np.sin(signed), np.broadcast_to([0.15, -0.15], signed.shape), -np.cos(signed)], -1)
    fore = upper + np.array([rng.uniform(0.1, 0.6), 0, 0])
    return upper, fore


def _talking(rng: _Rng, stamps: Floats) -> _Pose:
    """Hands that move before the chest as those of people who talk."""
    upper, fore = (np.repeat(part[None], len(stamps), 0) for part in _holding(rng, stamps))
    for axis in range(3):
        phase = rng.uniform(0, 6, 2)
        fore[..., axis] += rng.uniform(0.1, 0.35) * np.sin(2 * np.pi * rng.uniform(0.4, 1.2) * stamps[:, None] + phase)
    return upper, fore


@dataclass(frozen=True)
class Kind:
    """A way to hold the arms, and the gesture that it is; None: it is none."""

    pose: Callable[[_Rng, Floats], _Pose]
    gesture: Gesture | None = None


KINDS = {
    "left hand raised": Kind(_raised(0), Gesture.LEFT_HAND_RAISED),
    "right hand raised": Kind(_raised(1), Gesture.RIGHT_HAND_RAISED),
    "both hands raised": Kind(_raised(0, 1), Gesture.BOTH_HANDS_RAISED),
    "waving": Kind(_waving, Gesture.WAVING),
    "arms crossed": Kind(_crossed, Gesture.ARMS_CROSSED),
    "hands on face": Kind(_on_face, Gesture.HANDS_ON_FACE),
    "pointing": Kind(_pointing),
    "hands on hips": Kind(_on_hips),
    "holding something": Kind(_holding),
    "walking": Kind(_walking),
    "talking": Kind(_talking),
}


def _unit(directions: Floats) -> Floats:
    return np.asarray(directions / np.linalg.norm(directions, axis=-1, keepdims=True))
