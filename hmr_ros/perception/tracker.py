# SPDX-License-Identifier: Apache-2.0
"""Stable ids: which person of this image was which in the last ones."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Floats, Ints
from hmr_ros.core.people import Detections, State
from hmr_ros.core.records import join_rows
from hmr_ros.core.temporal.velocity import filtered_velocity
from hmr_ros.perception.assignment import assign
from hmr_ros.perception.similarity import SIZE_TOLERANCE, box_iou, keypoint_similarity, size_similarity


@dataclass(frozen=True)
class TrackerOptions:
    """``timeout_s``: a person unseen for longer is lost. ``hits_to_confirm``: images a person must be seen in, one
    after the other, to be trusted (1: at once, for single photos). ``min_similarity``: 0..1, mean of box overlap and
    keypoint similarity; what is less alike is not the same person.
    """

    timeout_s: float = 1.0
    hits_to_confirm: int = 2
    min_similarity: float = 0.2

    def __post_init__(self) -> None:
        if not (self.timeout_s > 0 and self.hits_to_confirm >= 1 and 0 < self.min_similarity < 1):
            raise ValueError(f"expected timeout_s > 0, hits_to_confirm >= 1, 0 < min_similarity < 1, got {self}")


@dataclass(frozen=True, eq=False)
class Tracks:
    """Everybody who is followed, one row each: first who is seen, in the order of the detections, then who is not.

    ``people`` have ids; those unseen have their boxes and keypoints where expected, with keypoint scores 0, and a score
    that falls with time. ``states`` (P,) of State; ``unseen_s`` (P,) s since the last image that showed the person.
    """

    people: Detections
    states: Ints
    unseen_s: Floats

    @property
    def seen(self) -> Detections:
        """Who is in this image."""
        return self.people.take(self.states != State.COASTING)

    @property
    def coasting(self) -> Detections:
        """Who is not, and not given up."""
        return self.people.take(self.states == State.COASTING)


_VELOCITY_MEMORY_S = 0.3
"""Time constant of the velocity: long enough to calm the detector, and not to follow it when it slips from a person
who is about to be hidden to the one in front; short enough to turn round in."""
_TOLERANCE_GROWTH = 10.0
"""Rise of the keypoint tolerance per second that a person is unseen, as a multiple of itself: a body size per second.
Without it people whose velocity is not known yet could not be followed at 5 images per second."""
_SIZE_GROWTH = 1.0
"""The same for the size: somebody who walks towards the camera, 3 m away, grows by a third in a second."""
_LONGEST_PAUSE_S = 10.0
"""Slow machines and cameras see people again after pauses beyond any patience; after this one they may be others."""
_DOUBT_S = 1.0
"""Time constant at which the score of an unseen person falls."""


@dataclass(eq=False)
class _Track:
    """A person as last seen. ``velocity`` (2,) px/s is that of the whole body."""

    id: int
    box: Floats
    score: float
    kp2d: Floats
    kp2d_score: Floats
    stamp_s: float
    velocity: Floats
    hits: int = 1

    def follow(self, box: Floats, score: float, kp2d: Floats, kp2d_score: Floats, stamp_s: float) -> None:
        """Take over what was seen at ``stamp_s``."""
        elapsed = stamp_s - self.stamp_s
        if elapsed > 0:
            moved = _mean_shift(self.kp2d, kp2d, self.kp2d_score * kp2d_score)
            self.velocity = filtered_velocity(self.velocity, moved, elapsed, _VELOCITY_MEMORY_S)
        self.box, self.score, self.kp2d, self.kp2d_score, self.stamp_s = box, score, kp2d, kp2d_score, stamp_s
        self.hits += 1


class Tracker:
    """Gives people ids that last: constant velocity, optimal assignment, patience for ``timeout_s``.

    A new person is *tentative* until seen ``hits_to_confirm`` times in a row, then *tracked*; one that is not seen is
    *coasting* along its velocity until found again or lost; who is tentative is lost at once. Ids count up and are
    never used twice.
    Source of the scheme: Bewley et al., "Simple online and realtime tracking", 2016, with keypoints added to the boxes.
    """

    def __init__(self, options: TrackerOptions = TrackerOptions(), ids: Iterator[int] | None = None) -> None:
        """``ids``: where people get their ids from, for trackers that must not give the same; None: 1, 2, 3, ..."""
        self.options = options
        self.lost: tuple[int, ...] = ()
        """Ids that the last update gave up."""
        self._tracks: list[_Track] = []
        self._ids = itertools.count(1) if ids is None else ids
        self._stamp_s = -np.inf

    def reset(self) -> None:
        """Forget everybody; ids go on counting."""
        self._tracks, self.lost = [], ()

    def update(self, detections: Detections, stamp_s: float) -> Tracks:
        """Everybody who is followed after an image with ``detections``. ``stamp_s`` must never decrease."""
        pause_s, self._stamp_s = stamp_s - self._stamp_s, stamp_s
        goes_on = pause_s <= max(self.options.timeout_s, _LONGEST_PAUSE_S)
        track_of = dict(self._match(detections, stamp_s)) if goes_on else {}
        seen = [self._observe(track_of.get(d), detections, d) for d in range(len(detections))]
        self._give_up()
        unseen = [track for track in self._tracks if track.stamp_s < stamp_s]
        return Tracks(
            _with_unseen(detections, [track.id for track in seen], unseen, stamp_s),
            np.array([*map(self._state, seen), *map(self._state, unseen)], np.uint8),
            np.array([stamp_s - track.stamp_s for track in (*seen, *unseen)]),
        )

    def _match(self, detections: Detections, stamp_s: float) -> list[tuple[int, _Track]]:
        """(row of ``detections``, track) of everybody seen again.

        Where people are decides whether they can be the same at all; of those who can, size tells apart who is nearer
        from who is farther away. (Size alone does not rule out: people bend.)
        """
        if not self._tracks or len(detections) == 0:
            return []
        unseen_s, boxes, kp2d = _expected(self._tracks, stamp_s)
        weight = np.stack([track.kp2d_score for track in self._tracks])
        extent = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)) * (1 + _TOLERANCE_GROWTH * unseen_s)
        alike = keypoint_similarity(kp2d, detections.kp2d, weight, detections.kp2d_score, extent)
        place = (box_iou(boxes, detections.boxes) + alike) / 2
        tolerance = SIZE_TOLERANCE * (1 + _SIZE_GROWTH * unseen_s)
        size = size_similarity(kp2d, detections.kp2d, weight, detections.kp2d_score, tolerance)
        pairs = assign(-place * size)
        possible = place[pairs[:, 0], pairs[:, 1]] >= self.options.min_similarity
        return [(int(d), self._tracks[t]) for t, d in pairs[possible]]

    def _observe(self, track: _Track | None, detections: Detections, row: int) -> _Track:
        """Take row ``row`` over into its track, or into a new one."""
        d, score = detections, float(detections.scores[row])
        if track is None:
            seen = (d.boxes[row], score, d.kp2d[row], d.kp2d_score[row])
            track = _Track(next(self._ids), *seen, self._stamp_s, velocity=np.zeros(2))
            self._tracks.append(track)
        else:
            track.follow(d.boxes[row], score, d.kp2d[row], d.kp2d_score[row], self._stamp_s)
        return track

    def _state(self, track: _Track) -> State:
        if track.hits < self.options.hits_to_confirm:
            return State.TENTATIVE
        return State.TRACKED if track.stamp_s == self._stamp_s else State.COASTING

    def _give_up(self) -> None:
        """Drop tentative people who were not seen now, and others unseen for too long."""

        def is_over(track: _Track) -> bool:
            patience_s = 0 if self._state(track) == State.TENTATIVE else self.options.timeout_s
            return self._stamp_s - track.stamp_s > patience_s

        self.lost = tuple(track.id for track in self._tracks if is_over(track))
        self._tracks = [track for track in self._tracks if not is_over(track)]


def _with_unseen(detections: Detections, ids: list[int], unseen: list[_Track], stamp_s: float) -> Detections:
    """``detections`` with their ``ids``, and the ``unseen`` people where they are expected."""
    seen = dataclasses.replace(detections, ids=np.array(ids, np.int64))
    if not unseen:
        return seen
    unseen_s, boxes, kp2d = _expected(unseen, stamp_s)
    expected = Detections(
        boxes=boxes,
        scores=np.array([track.score for track in unseen]) * np.exp(-unseen_s / _DOUBT_S),
        kp2d=kp2d,
        kp2d_score=np.zeros(kp2d.shape[:2]),
        joint_set=detections.joint_set,
        ids=np.array([track.id for track in unseen], np.int64),
    )
    return join_rows([seen, expected])


def _expected(tracks: list[_Track], stamp_s: float) -> tuple[Floats, Floats, Floats]:
    """Of N > 0 tracks: (N,) s since they were seen, and by now their boxes (N, 4) and keypoints (N, J, 2) px."""
    unseen_s = np.array([stamp_s - track.stamp_s for track in tracks])
    moved = unseen_s[:, None] * np.stack([track.velocity for track in tracks])
    boxes = np.stack([track.box for track in tracks]) + np.tile(moved, 2)
    return unseen_s, boxes, np.stack([track.kp2d for track in tracks]) + moved[:, None]


def _mean_shift(before: Floats, after: Floats, weight: Floats) -> Floats:
    """(2,) mean movement of keypoints (J, 2) with weights (J,); 0 when none counts."""
    return np.asarray(weight @ (after - before) / max(float(weight.sum()), 1e-9))
