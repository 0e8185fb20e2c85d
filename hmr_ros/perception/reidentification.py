# SPDX-License-Identifier: Apache-2.0
"""People who come back get the id that they had, where one and only one lost id fits.

How they look (``appearance``), how large they are, and where they were expected are added up as evidence, in nats, that
a new track is a lost one. It has to be stronger than for a new person and than for any other lost one. All is kept in
memory for a stated time, and no longer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.records import join_rows
from hmr_ros.perception.appearance import Appearance, evidence
from hmr_ros.perception.track import Track

MEMORY_S = 10.0
"""A lost person is remembered for so long after the last image that showed them."""

MAX_REMEMBERED = 64
"""So many lost people are remembered, those who were lost last."""

_NEW = 2.5
"""Evidence, nats, that a lost id needs against a new person."""
_ONLY = 1.5
"""Evidence, nats, by which it has to fit better than any other one."""

_NEAR, _PER_S = 0.3, 0.45
"""Standard deviation of where a person comes back, in extents of the body, about a metre each: at once, and per s."""
_AHEAD_S = 1.5
"""People walk on for so long while they are hidden."""
_AREA = 150.0
"""A new person may be anywhere in so many squared extents."""
_ELSEWHERE = -6.0
"""A position says at most this much against a person."""

_ONE = 0.5
"""Two who were seen in one image are one person only nearer than this, in extents: one skeleton had slipped."""

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


def known_again(
    new: Sequence[Track], lost: Sequence[Track], sizes: Callable[[], Mapping[int, float]]
) -> list[tuple[Track, Track]]:
    """Pairs of ``new`` and ``lost`` tracks that are the same person, without any doubt that is stated above."""
    if not new or not lost:
        return []
    nats = _nats(new, lost, sizes())
    pairs = []
    while (best := float(nats.max())) >= _NEW:
        row, column = divmod(int(nats.argmax()), len(lost))
        others = np.concatenate([np.delete(nats[row], column), np.delete(nats[:, column], row), [-np.inf]])
        if best - float(others.max()) >= _ONLY:
            pairs.append((new[row], lost[column]))
        nats[row], nats[:, column] = -np.inf, -np.inf
    return pairs


def _nats(new: Sequence[Track], lost: Sequence[Track], sizes: Mapping[int, float]) -> Floats:
    """(N, L) evidence; none where no part of the body was seen of both."""
    looks, known = (join_rows([track.look for track in tracks]) for tracks in (new, lost))
    shown = ((looks.views[:, None] > 0) & (known.views[None] > 0)).any(-1)
    by_size = _by_size(*(np.array([sizes.get(track.id, np.nan) for track in tracks]) for tracks in (new, lost)))
    return np.where(shown, evidence(looks, known) + _by_position(new, lost) + by_size, -np.inf)


def _by_position(new: Sequence[Track], lost: Sequence[Track]) -> Floats:
    """(N, L) nats by how far from the ``lost`` tracks' expected positions the ``new`` ones began.

    None of two people who were in one image is the other.
    """
    begun_s, last_s = np.array([a.begun_s for a in new]), np.array([b.stamp_s for b in lost])
    unseen_s = np.maximum(begun_s[:, None] - last_s, 0)
    there, here = (_middles(boxes) for boxes in ([b.box for b in lost], [a.begun for a in new]))
    velocity = np.stack([b.velocity for b in lost])
    off = here[:, None] - there - np.minimum(unseen_s, _AHEAD_S)[..., None] * velocity
    extent = np.maximum(*(_extents(boxes) for boxes in ([b.box for b in lost], [[a.begun] for a in new])))
    variance = np.square(_NEAR + _PER_S * unseen_s)
    distance2 = np.square(off).sum(-1) / extent**2
    nats = np.log(_AREA / (2 * np.pi * variance)) - distance2 / (2 * variance)
    are_two = (begun_s[:, None] <= last_s) & (distance2 > _ONE**2)
    return np.where(are_two, -np.inf, np.maximum(nats, _ELSEWHERE))


def _by_size(new: Floats, lost: Floats) -> Floats:
    """(N, L) nats by sizes (N,) and (L,) m; 0 where one is not known."""
    off = np.log(new[:, None] / lost[None])
    same, different = 2 * _SIZE**2, 2 * _SIZE**2 + 2 * _SIZES**2
    nats = (off * off / different - off * off / same + np.log(different / same)) / 2
    return np.where(np.isfinite(nats), nats, 0.0)


def _middles(boxes: Sequence[Floats]) -> Floats:
    """(N, 2) px of N boxes (4,) px."""
    return np.asarray(np.stack(boxes).astype(np.float64).reshape(-1, 2, 2).mean(1))


def _extents(boxes: Sequence[Floats] | Sequence[list[Floats]]) -> Floats:
    """(...,) px: the side of a square as large as each box (..., 4) px, at least 1."""
    corners = np.array(boxes, np.float64)
    return np.asarray(np.maximum(np.sqrt(np.prod(corners[..., 2:] - corners[..., :2], axis=-1)), 1.0))
