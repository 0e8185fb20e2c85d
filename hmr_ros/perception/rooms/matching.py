# SPDX-License-Identifier: Apache-2.0
"""How unlike people of two cameras are: small where they are the same person, by position, velocity, pose and size.

Costs are squared deviations in units of what is expected of one person, so that they add. Position decides; the others
are bounded, as a pose may be mirrored and a network may guess two sizes, and people dress alike. Another kind of
evidence from two cameras is one more function in ``EVIDENCE``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.perception.appearance import Light, evidence, shared_nats
from hmr_ros.perception.rooms.observation import Key
from hmr_ros.perception.rooms.offsets import Offset
from hmr_ros.perception.rooms.options import SHARED_SIZE_ERROR
from hmr_ros.perception.rooms.tracks import CameraTracks

Evidence = Callable[[CameraTracks, CameraTracks], Floats]
"""People of two cameras -> (A, B) costs."""

_VELOCITY_M_S, _MOST_BY_VELOCITY = 0.35, 6.0
_MOST_BY_POSE = 9.0
_SIZE, _MOST_BY_SIZE = 0.08, 3.0
_MOST_BY_LOOKS = 6.0
_ALIKE = 0.5
"""Fraction of people who are dressed as one of those in view is: clothes that others wear say little."""
_LEAST_M = 0.03
"""Standard deviation of a position in each direction that no calibration goes below: smoothing, and the joints' own."""


_MEMORY_S, _FORGOTTEN_S = 0.4, 2.0
"""Time constant of the mean cost of a pair; how long one that is not seen together is remembered."""

_MOST = 100.0
"""A single image counts no more than this."""


def by_velocity(a: CameraTracks, b: CameraTracks) -> Floats:
    """Squared difference of velocities on the ground and up."""
    difference2 = np.square(a.velocities[:, None] - b.velocities[None]).sum(-1)
    return np.asarray(np.minimum(difference2 / (2 * _VELOCITY_M_S**2), _MOST_BY_VELOCITY))


def by_pose(a: CameraTracks, b: CameraTracks) -> Floats:
    """Squared differences of the joints around the pelvis, in the world, by their expected errors."""
    difference2 = np.square(a.people.joints[:, None, 1:] - b.people.joints[None, :, 1:]).sum(-1)
    expected2 = np.square(a.people.joint_error)[:, None, 1:] + np.square(b.people.joint_error)[None, :, 1:]
    return np.asarray(np.minimum(3 * (difference2 / (1.3 * expected2)).mean(-1), _MOST_BY_POSE))


def by_size(a: CameraTracks, b: CameraTracks) -> Floats:
    """Squared ratios of the sizes."""
    ratio = np.log(np.maximum(a.people.sizes, 0.1))[:, None] - np.log(np.maximum(b.people.sizes, 0.1))[None]
    return np.asarray(np.minimum(ratio**2 / (2 * _SIZE**2), _MOST_BY_SIZE))


def by_looks(a: CameraTracks, others: Sequence[CameraTracks], lights: Sequence[Light]) -> Floats:
    """(A, B) of people of one camera and of all ``others``; below 0 where two look alike as no other person does.

    ``lights``: how otherwise the camera sees colours than each of the others.
    """
    looks = a.people.looks
    if not looks.views.any():
        return np.zeros((len(a), sum(map(len, others))))
    found = [by_nats(evidence(looks, b.people.looks, light)) for b, light in zip(others, lights, strict=True)]
    return np.concatenate(found, 1)


def by_nats(nats: Floats) -> Floats:
    """Costs (A, B) by the evidence (A, B) that people of two cameras, who are other people in each, look alike."""
    alike, (a, b) = np.exp(nats), nats.shape
    like_row = (alike.sum(1, keepdims=True) - alike) / max(b - 1, 1)
    like_column = (alike.sum(0) - alike) / max(a - 1, 1)
    usual = shared_nats(np.maximum(like_row, like_column), _ALIKE)
    return np.asarray(np.clip(2 * np.where(nats == 0, 0, usual - nats), -_MOST_BY_LOOKS, _MOST_BY_LOOKS))


EVIDENCE: tuple[Evidence, ...] = (by_velocity, by_pose, by_size)


def by_position(
    a: CameraTracks, b: CameraTracks, stamp_s: float, covariances: tuple[Floats, Floats], clock_s: float
) -> Floats:
    """(A, B) squared Mahalanobis distances of the positions at ``stamp_s``, by all that may be wrong with them.

    ``covariances`` (A, 3, 3) and (B, 3, 3) m^2 of the positions; ``clock_s``: standard deviation of the stamps. What
    their sizes have in common makes no difference.
    """
    apart = a.at(stamp_s)[:, None] - b.at(stamp_s)[None]
    sights = a.people.along[:, None] * a.people.bearings, b.people.along[:, None] * b.people.bearings
    shared = SHARED_SIZE_ERROR * sights[0][:, None, :, None] * sights[1][None, :, None, :]
    speed = (a.velocities[:, None] + b.velocities[None]) / 2
    clocks = 2 * clock_s**2 * speed[..., :, None] * speed[..., None, :]
    total = covariances[0][:, None] + covariances[1][None] - shared - shared.swapaxes(-1, -2) + clocks
    return np.asarray((apart * np.linalg.solve(total, apart[..., None])[..., 0]).sum(-1))


def position_covariances(tracks: CameraTracks, offset: Offset) -> Floats:
    """(N, 3, 3) m^2 of the positions of ``tracks`` of a camera whose pose has the ``offset``."""
    people = tracks.people
    sight = people.bearings[:, :, None] * people.bearings[:, None]
    across2 = np.square(people.across) + _LEAST_M**2
    along2 = np.square(people.along) + _LEAST_M**2
    own = across2[:, None, None] * np.eye(3) + (along2 - across2)[:, None, None] * sight
    return np.asarray(own + offset.covariances(people.lines_of_sight))


def costs(
    a: CameraTracks, b: CameraTracks, stamp_s: float, covariances: tuple[Floats, Floats], clock_s: float
) -> Floats:
    """(A, B) how unlike people are, by everything; arguments as of ``by_position``."""
    total = by_position(a, b, stamp_s, covariances, clock_s)
    for kind in EVIDENCE:
        total = total + kind(a, b)
    return total


@dataclass(frozen=True)
class _Mean:
    """A mean ``cost`` until ``stamp_s``, over ``age_s``."""

    cost: float
    stamp_s: float
    age_s: float = 0.0


class PairCosts:
    """Mean costs of pairs over time: one image may err, and people pass close by each other."""

    def __init__(self) -> None:
        self._means: dict[tuple[Key, Key], _Mean] = {}

    def add(self, a: Sequence[Key], b: Sequence[Key], found: Floats, stamp_s: float) -> None:
        """Take costs ``found`` (A, B) between people ``a`` and ``b`` of two cameras into account."""
        for one, row in zip(a, found.tolist(), strict=True):
            for other, cost in zip(b, row, strict=True):
                pair = _ordered(one, other)
                self._means[pair] = _updated(self._means.get(pair), cost, stamp_s)

    def of(self, one: Key, other: Key) -> float:
        """The mean cost of a pair; infinite where it was never seen together."""
        mean = self._means.get(_ordered(one, other))
        return np.inf if mean is None else mean.cost

    def forget(self, stamp_s: float) -> None:
        """Forget pairs that have not been seen together for long."""
        self._means = {pair: m for pair, m in self._means.items() if abs(stamp_s - m.stamp_s) <= _FORGOTTEN_S}


def _ordered(one: Key, other: Key) -> tuple[Key, Key]:
    return (one, other) if one <= other else (other, one)


def _updated(mean: _Mean | None, cost: float, stamp_s: float) -> _Mean:
    """``mean`` with one more cost; of the first images, the plain mean."""
    if mean is None:
        return _Mean(min(cost, _MOST), stamp_s)
    elapsed = max(stamp_s - mean.stamp_s, 0.0)
    age = mean.age_s + elapsed
    fraction = max(-math.expm1(-elapsed / _MEMORY_S), elapsed / (age + elapsed) if age else 0.5)
    return _Mean(mean.cost + fraction * (min(cost, _MOST) - mean.cost), max(stamp_s, mean.stamp_s), age)
