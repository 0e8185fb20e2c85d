# SPDX-License-Identifier: Apache-2.0
"""People who come back get the id that they had, where one and only one lost id fits.

How they look (``appearance``), how large they are, and where they were expected, as large as there, are added up as
evidence, in nats, that a new track is a lost one. It has to be stronger than for a new person and than for any other
lost one. Clothes that others in view wear, too, are little evidence. All is kept in memory for a stated time, and no
longer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.records import join_rows
from hmr_ros.perception.appearance import Appearance, Look, evidence, shared_nats
from hmr_ros.perception.assignment import assign
from hmr_ros.perception.similarity import log_size_ratio
from hmr_ros.perception.track import Track

MEMORY_S = 10.0
"""A lost person is remembered for so long after the last image that showed them."""

MAX_REMEMBERED = 64
"""So many lost people are remembered, those who were lost last."""

_NEW = 2.5
"""Evidence, nats, that a lost id needs against a new person."""
_ONLY = 1.5
"""Evidence, nats, by which it has to fit better than any other one."""

_NEAR, _PER_S, _PER_SPEED = 0.3, 0.2, 0.25
"""Standard deviation of where a person comes back, in extents of the body, about a metre each: at once, per s, and per
s and extent/s of their speed, up to _FASTEST: who stands is mostly still there."""
_FASTEST = 1.0
_AHEAD_S = 1.5
"""People walk on for so long while they are hidden."""
_AREA = 150.0
"""A new person may be anywhere in so many squared extents."""
_ELSEWHERE = -6.0
"""A position says at most this much against a person."""

_GROWTH, _GROWTH_PER_S = 0.08, 0.12
"""Standard deviation of the logarithm of a person's size in the image, since they were lost: at once, and per s."""
_GROWTHS = 0.4
"""The same between people, who are near and far."""

_ONE = 0.5
"""Two who were seen in one image are one person only nearer than this, in extents: one skeleton had slipped."""

_DRESSED_ALIKE = 0.3
"""Fraction of new people who are dressed as one of those in view is: colleagues, or a team."""

_SIZE, _SIZES = 0.06, 0.15
"""Standard deviations of the estimated size of one person, and of sizes between people, as fractions."""


@dataclass(frozen=True, eq=False)
class Cues:
    """What tells people apart besides position: how the detections of an image look, and ``sizes`` of tracks by id, m.

    Sizes are asked for where a person may have come back.
    """

    appearance: Appearance
    sizes: Callable[[], Mapping[int, float]] = dict


@dataclass(eq=False)
class Memory:
    """The people who were ``lost``, for MEMORY_S."""

    lost: list[Track] = field(default_factory=list)

    def add(self, tracks: Sequence[Track]) -> tuple[int, ...]:
        """Remember ``tracks``; the ids of those who are forgotten in their place."""
        self.lost += tracks
        forgotten, self.lost = self.lost[:-MAX_REMEMBERED], self.lost[-MAX_REMEMBERED:]
        return tuple(track.id for track in forgotten)

    def forget(self, stamp_s: float) -> tuple[int, ...]:
        """Forget who was not seen for too long; their ids."""
        old = [track for track in self.lost if stamp_s - track.stamp_s > MEMORY_S]
        self.lost = [track for track in self.lost if stamp_s - track.stamp_s <= MEMORY_S]
        return tuple(track.id for track in old)


def keep_apart(new: Sequence[Track], seen: Sequence[Track]) -> None:
    """Note with the ``new`` tracks which of those ``seen`` in this image are elsewhere in it, so other people."""
    if not new or len(seen) < 2:
        return
    here, there = [a.box for a in new], [b.box for b in seen]
    extent = np.maximum(_extents(here)[:, None], _extents(there))
    elsewhere = np.linalg.norm(_middles(here)[:, None] - _middles(there), axis=-1) > _ONE * extent
    for track, others in zip(new, elsewhere, strict=True):
        track.apart.update(seen[k].id for k in np.flatnonzero(others).tolist())


def known_again(
    new: Sequence[Track], lost: Sequence[Track], in_view: Sequence[Track], sizes: Callable[[], Mapping[int, float]]
) -> list[tuple[Track, Track]]:
    """Pairs of ``new`` and ``lost`` tracks that are the same person, without any doubt that is stated above.

    Others are ``in_view``, who are neither.
    """
    if not new or not lost:
        return []
    nats = _nats(new, lost, in_view, sizes())
    return [(new[row], lost[column]) for row, column in clear_pairs(nats)]


def clear_pairs(nats: Floats) -> list[tuple[int, int]]:
    """Rows and columns of evidence (N, L) that is strong enough, and clearer than any other way to explain both.

    Another way gives one of the two to another track, whose own pair, if there is one, is then exchanged or given up.
    """
    pairs = [(int(i), int(j)) for i, j in assign(-np.maximum(nats - _NEW, 0)) if nats[i, j] >= _NEW]
    return [pair for pair in pairs if _lead(nats, pair, pairs) >= _ONLY]


def _lead(nats: Floats, pair: tuple[int, int], pairs: Sequence[tuple[int, int]]) -> float:
    """By how many nats (N, L) ``pair`` with the other ``pairs`` is better than what else either of the two may be."""
    i, j = pair
    leads = [math.inf]
    for k, m in (other for other in pairs if other != pair):
        others = nats[i, m] + max(nats[k, j], _NEW), nats[k, j] + max(nats[i, m], _NEW)
        leads.append(nats[i, j] + nats[k, m] - max(others))
    rows, columns = (set(range(size)) - {other[axis] for other in pairs} for axis, size in enumerate(nats.shape))
    leads += [nats[i, j] - nats[i, column] for column in columns] + [nats[i, j] - nats[row, j] for row in rows]
    return float(min(leads))


def _nats(new: Sequence[Track], lost: Sequence[Track], in_view: Sequence[Track], sizes: Mapping[int, float]) -> Floats:
    """(N, L) evidence; none where no part of the body was seen of both."""
    looks, known = (join_rows([track.look for track in tracks]) for tracks in (new, lost))
    shown = ((looks.views[:, None] > 0) & (known.views[None] > 0)).any(-1)
    by_size = size_nats(*(np.array([sizes.get(track.id, np.nan) for track in tracks]) for tracks in (new, lost)))
    by_look = evidence(looks, known) - _usual(looks, in_view)[:, None]
    return np.where(shown, by_look + _by_position(new, lost) + by_size, -np.inf)


def _usual(looks: Look, in_view: Sequence[Track]) -> Floats:
    """(N,) nats, at least 0, by which N people who look like this are likelier to be new, by those ``in_view``."""
    if not in_view:
        return np.zeros(len(looks.views))
    return newcomer_nats(evidence(looks, join_rows([track.look for track in in_view])))


def newcomer_nats(alike: Floats) -> Floats:
    """(N,) nats, at least 0, by which N people are likelier to be new, by evidence (N, V) of looks like those in view.

    Some of those who come are dressed as others are.
    """
    return shared_nats(np.exp(alike).mean(1), _DRESSED_ALIKE)


def _by_position(new: Sequence[Track], lost: Sequence[Track]) -> Floats:
    """(N, L) nats by how far from the ``lost`` tracks' expected positions the ``new`` ones began, and how large.

    None of two people who were in one image is the other.
    """
    begun_s, last_s = np.array([a.begun_s for a in new]), np.array([b.stamp_s for b in lost])
    unseen_s = np.maximum(begun_s[:, None] - last_s, 0)
    there, here = (_middles(boxes) for boxes in ([b.box for b in lost], [a.begun for a in new]))
    velocity = np.stack([b.velocity for b in lost])
    off = here[:, None] - there - np.minimum(unseen_s, _AHEAD_S)[..., None] * velocity
    extent = np.maximum(*(_extents(boxes) for boxes in ([b.box for b in lost], [[a.begun] for a in new])))
    speed = np.minimum(np.linalg.norm(velocity, axis=-1) / extent, _FASTEST)
    variance = np.square(_NEAR + (_PER_S + _PER_SPEED * speed) * unseen_s)
    distance2 = np.square(off).sum(-1) / extent**2
    nats = np.log(_AREA / (2 * np.pi * variance)) - distance2 / (2 * variance) + _by_growth(new, lost, unseen_s)
    are_two = np.array([[b.id in a.apart for b in lost] for a in new])
    return np.where(are_two, -np.inf, np.maximum(nats, _ELSEWHERE))


def _by_growth(new: Sequence[Track], lost: Sequence[Track], unseen_s: Floats) -> Floats:
    """(N, L) nats by how much larger the ``new`` people are in the image than the ``lost`` ones were."""
    (here, seen), (there, shown) = (
        (np.stack([track.kp2d for track in tracks]), np.stack([track.kp2d_score for track in tracks]))
        for tracks in (new, lost)
    )
    growth = log_size_ratio(here, there, seen, shown)
    same = np.square(_GROWTH + _GROWTH_PER_S * unseen_s)
    return _gaussian_nats(growth, same, same + _GROWTHS**2)


def size_nats(new: Floats, lost: Floats) -> Floats:
    """(N, L) nats by sizes (N,) and (L,) m; 0 where one is not known."""
    off, same = np.log(new[:, None] / lost[None]), 2 * _SIZE**2
    return _gaussian_nats(off, np.full_like(off, same), np.full_like(off, same + 2 * _SIZES**2))


def _gaussian_nats(off: Floats, same: Floats, different: Floats) -> Floats:
    """Nats that ``off`` has the variance ``same`` and not ``different``, which broadcast; 0 where it is not finite."""
    nats = (off * off / different - off * off / same + np.log(different / same)) / 2
    return np.where(np.isfinite(off), nats, 0.0)


def _middles(boxes: Sequence[Floats]) -> Floats:
    """(N, 2) px of N boxes (4,) px."""
    return np.asarray(np.stack(boxes).astype(np.float64).reshape(-1, 2, 2).mean(1))


def _extents(boxes: Sequence[Floats] | Sequence[list[Floats]]) -> Floats:
    """(...,) px: the side of a square as large as each box (..., 4) px, at least 1."""
    corners = np.array(boxes, np.float64)
    return np.asarray(np.maximum(np.sqrt(np.prod(corners[..., 2:] - corners[..., :2], axis=-1)), 1.0))
