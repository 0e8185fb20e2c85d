# SPDX-License-Identifier: Apache-2.0
"""People of a room who come back, before any camera, get the id that they had, where one and only one lost id fits.

As one camera does it (``reidentification``), in the world: how they look, with what is known of the light of the two
cameras; how large they are; how far away they come back. A track that one camera knew again is the person who had it.
People of whom no looks are known are not remembered.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.perception.appearance import evidence
from hmr_ros.perception.reidentification import MAX_REMEMBERED, MEMORY_S, clear_pairs, newcomer_nats, size_nats
from hmr_ros.perception.rooms.lights import Lights
from hmr_ros.perception.rooms.states import Person

LOOKED_AT_S = 1.35
"""A new person may turn out to be a lost one for so long."""

_VIEWS = 3.0
"""Images in which a part of the body was seen before looks are compared."""

_NEAR_M, _PER_S, _PER_SPEED = 0.6, 0.4, 0.4
"""Standard deviation of where a person comes back, m: at once, per s, and per s and m/s of their speed."""
_AHEAD_S = 1.5
"""People walk on for so long while they are hidden."""
_AREA_M2 = 150.0
"""A new person may be anywhere in it."""
_ELSEWHERE = -6.0
"""A place says at most this much against a person, whom the cameras' poses may put elsewhere, too."""
_FASTEST_M_S, _REACH_M = 3.0, 2.0
"""No person is farther away than this speed and distance allow."""

_SAME_TRACK = 20.0
"""Evidence, nats, of a camera's track that is the same as before."""
_TOGETHER_S = 0.1
"""Two who were seen at the same time, by more than clocks differ, are two."""


class Memory:
    """The people who were ``lost``, for MEMORY_S."""

    def __init__(self) -> None:
        self.lost: list[Person] = []

    def add(self, people: Sequence[Person]) -> None:
        """Remember ``people`` of whom looks are known."""
        self.lost = [*self.lost, *(person for person in people if person.is_sure and person.looks)][-MAX_REMEMBERED:]

    def drop(self, person: Person) -> None:
        """Forget a person who is back."""
        self.lost = [other for other in self.lost if other is not person]

    def forget(self, stamp_s: float) -> None:
        """Forget who was not seen for too long."""
        self.lost = [person for person in self.lost if stamp_s - person.seen_s <= MEMORY_S]


def recalled(
    new: Sequence[Person], lost: Sequence[Person], in_view: Sequence[Person], lights: Lights
) -> list[tuple[Person, Person]]:
    """Pairs of ``new`` and ``lost`` people who are the same person, without doubt. Others are ``in_view``."""
    new = [person for person in new if any(look.views.max() >= _VIEWS for look in person.looks.values())]
    if not new or not lost:
        return []
    usual = np.array([_usual(person, in_view, lights) for person in new])
    nats = np.array([[_nats(one, other, lights) for other in lost] for one in new]) - usual[:, None]
    return [(new[row], lost[column]) for row, column in clear_pairs(nats)]


def look_nats(one: Person, other: Person, lights: Lights) -> float:
    """Evidence by looks, the mean over the cameras that saw either; NaN where no part of the body was seen of both."""
    found = []
    for a, look in one.looks.items():
        for b, known in other.looks.items():
            if ((look.views > 0) & (known.views > 0)).any():
                found.append(float(evidence(look, known, lights.between(a, b))[0, 0]))
    return sum(found) / len(found) if found else math.nan


def _usual(person: Person, in_view: Sequence[Person], lights: Lights) -> float:
    """Nats, at least 0, by which a person who looks like this is likelier to be new, by those ``in_view``."""
    nats = np.array([look_nats(person, other, lights) for other in in_view])
    return float(newcomer_nats(nats[np.isfinite(nats)][None])[0]) if np.isfinite(nats).any() else 0.0


def _nats(new: Person, lost: Person, lights: Lights) -> float:
    """Evidence that the ``new`` person is the ``lost`` one; -inf: they are not."""
    unseen_s = new.born_s - lost.seen_s
    looks = look_nats(new, lost, lights)
    if unseen_s < -_TOGETHER_S or math.isnan(looks):
        return -math.inf
    place = _place_nats(new.born_at, lost.motion.position, lost.motion.velocity, max(unseen_s, 0.0))
    same = _SAME_TRACK if new.tracks & lost.tracks else 0.0
    return looks + place + same + float(size_nats(np.array([new.size]), np.array([lost.size]))[0, 0])


def _place_nats(here: Floats, there: Floats, velocity: Floats, unseen_s: float) -> float:
    """Evidence by how far ``here`` (3,) m is from where a person went who was ``there`` with the ``velocity`` (3,)."""
    speed = min(math.hypot(*velocity[:2]), 1.5)
    off = here[:2] - there[:2]
    if math.hypot(*off) > _FASTEST_M_S * unseen_s + _REACH_M:
        return -math.inf
    off = off - min(unseen_s, _AHEAD_S) * velocity[:2]
    variance = (_NEAR_M + (_PER_S + _PER_SPEED * speed) * unseen_s) ** 2
    nats = math.log(_AREA_M2 / (2 * math.pi * variance)) - float(off @ off) / (2 * variance)
    return max(nats, _ELSEWHERE)
