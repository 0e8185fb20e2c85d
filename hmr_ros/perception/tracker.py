# SPDX-License-Identifier: Apache-2.0
"""Stable ids: detections of this image are assigned to the tracks of earlier ones."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Floats, Ints
from hmr_ros.core.config import PerceptionSettings
from hmr_ros.core.people import Detections, State
from hmr_ros.core.records import join_rows
from hmr_ros.core.temporal.velocity import filtered_velocity
from hmr_ros.perception.assignment import assign
from hmr_ros.perception.similarity import SIZE_TOLERANCE, box_iou, keypoint_similarity, size_similarity


@dataclass(frozen=True)
class TrackerOptions:
    """How Tracker works.

    ``timeout_s``: a track unseen for longer is lost. ``hits_to_confirm``: number of consecutive images with the person
    that confirm a track (1: at once). ``min_similarity``: 0..1, minimum mean of box overlap and keypoint similarity of
    a track and its detection.
    """

    timeout_s: float = 1.0
    hits_to_confirm: int = 2
    min_similarity: float = 0.2

    def __post_init__(self) -> None:
        if not (self.timeout_s > 0 and self.hits_to_confirm >= 1 and 0 < self.min_similarity < 1):
            raise ValueError(f"expected timeout_s > 0, hits_to_confirm >= 1, 0 < min_similarity < 1, got {self}")


@dataclass(frozen=True, eq=False)
class Tracks:
    """All tracks after an image, one row each: first those seen in it, in the order of the detections, then the others.

    ``people`` have ids; unseen tracks have predicted boxes and keypoints, keypoint scores 0, and a score that falls
    with time. ``states`` (P,) of State; ``unseen_s`` (P,) s since the last image that showed the person. ``lost`` are
    the ids of the tracks that ended with this image, which have no row any more.
    """

    people: Detections
    states: Ints
    unseen_s: Floats
    lost: tuple[int, ...] = ()

    @property
    def seen(self) -> Detections:
        """The people in this image."""
        return self.people.take(self.states != State.COASTING)

    @property
    def coasting(self) -> Detections:
        """The tracks that are not in this image, and not given up, where they are predicted."""
        return self.people.take(self.states == State.COASTING)


_VELOCITY_MEMORY_S = 0.3
"""Time constant of the velocity: long enough to average the detector's noise, and its slip from a person about to be
hidden to the one in front; short enough for people who turn round."""
_TOLERANCE_GROWTH = 10.0
"""Increase of the keypoint tolerance per second that a track is unseen, as a multiple of itself: a body size per
second. Without it, people whose velocity is not known yet could not be tracked at 5 images per second."""
_SIZE_GROWTH = 1.0
"""The same for the size: a person who walks towards the camera, 3 m away, grows by a third in a second."""
_LONGEST_PAUSE_S = 10.0
"""Slow machines and cameras pause for longer than the timeout; after a longer pause than this, tracks do not go on."""
_DOUBT_S = 1.0
"""Time constant at which the score of an unseen track falls."""


@dataclass(eq=False)
class _Track:
    """A person as last seen, at ``stamp_s`` s.

    ``box`` (4,) and ``kp2d`` (J, 2) px, ``kp2d_score`` (J,); ``velocity`` (2,) px/s of the whole body; ``hits`` is the
    number of images that showed the person.
    """

    id: int
    box: Floats
    score: float
    kp2d: Floats
    kp2d_score: Floats
    stamp_s: float
    velocity: Floats
    hits: int = 1

    def follow(self, box: Floats, score: float, kp2d: Floats, kp2d_score: Floats, stamp_s: float) -> None:
        """Update the track with a detection at ``stamp_s``: box (4,), keypoints (J, 2) px and their scores (J,)."""
        elapsed = stamp_s - self.stamp_s
        if elapsed > 0:
            moved = _mean_shift(self.kp2d, kp2d, self.kp2d_score * kp2d_score)
            self.velocity = filtered_velocity(self.velocity, moved, elapsed, _VELOCITY_MEMORY_S)
        self.box, self.score, self.kp2d, self.kp2d_score, self.stamp_s = box, score, kp2d, kp2d_score, stamp_s
        self.hits += 1


class Tracker:
    """Gives people ids that last: constant velocity, optimal assignment, a timeout.

    A new track is *tentative* until seen ``hits_to_confirm`` times in a row, then *tracked*; one that is not seen is
    *coasting* along its velocity until found again, or lost after ``timeout_s``; a tentative one is lost at once. Ids
    count up and are never used twice.
    Source of the scheme: Bewley et al., "Simple online and realtime tracking", 2016, with keypoints added to the boxes.

    >>> tracker = Tracker()
    >>> tracks = tracker.update(Detections.empty("coco17"), stamp_s=0.0)
    >>> len(tracks.people), tracks.lost
    (0, ())
    """

    def __init__(self, options: TrackerOptions = TrackerOptions(), ids: Iterator[int] | None = None) -> None:
        """``ids`` numbers new tracks; trackers that share it give no id twice. None: 1, 2, 3, ..."""
        self.options = options
        self._tracks: list[_Track] = []
        self._ids = itertools.count(1) if ids is None else ids
        self._stamp_s = -np.inf

    def reset(self) -> None:
        """Forget all tracks; ids go on counting."""
        self._tracks = []

    def configure(self, settings: PerceptionSettings) -> None:
        """Take over the settings that may change between images."""
        self.options = dataclasses.replace(self.options, timeout_s=settings.track_timeout_s)

    def update(self, detections: Detections, stamp_s: float) -> Tracks:
        """The tracks after an image with ``detections``, taken at ``stamp_s`` s, which must never decrease."""
        pause_s, self._stamp_s = stamp_s - self._stamp_s, stamp_s
        goes_on = pause_s <= max(self.options.timeout_s, _LONGEST_PAUSE_S)
        track_of = dict(self._match(detections, stamp_s)) if goes_on else {}
        seen = [self._observe(track_of.get(d), detections, d) for d in range(len(detections))]
        lost = self._give_up()
        unseen = [track for track in self._tracks if track.stamp_s < stamp_s]
        return Tracks(
            _with_unseen(detections, [track.id for track in seen], unseen, stamp_s),
            np.array([*map(self._state, seen), *map(self._state, unseen)], np.uint8),
            np.array([stamp_s - track.stamp_s for track in (*seen, *unseen)]),
            lost,
        )

    def _match(self, detections: Detections, stamp_s: float) -> list[tuple[int, _Track]]:
        """(row of ``detections``, track) of each track that is seen again.

        Position decides whether a detection can belong to a track; among those that can, size tells a nearer person
        from a farther one. (Size alone rules nothing out: people bend.)
        """
        if not self._tracks or len(detections) == 0:
            return []
        unseen_s, boxes, kp2d = _expected(self._tracks, stamp_s)
        weight = np.stack([track.kp2d_score for track in self._tracks])
        extent = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)) * (1 + _TOLERANCE_GROWTH * unseen_s)
        alike = keypoint_similarity(kp2d, detections.kp2d, weight, detections.kp2d_score, extent)
        position = (box_iou(boxes, detections.boxes) + alike) / 2
        tolerance = SIZE_TOLERANCE * (1 + _SIZE_GROWTH * unseen_s)
        size = size_similarity(kp2d, detections.kp2d, weight, detections.kp2d_score, tolerance)
        pairs = assign(-position * size)
        possible = position[pairs[:, 0], pairs[:, 1]] >= self.options.min_similarity
        return [(int(d), self._tracks[t]) for t, d in pairs[possible]]

    def _observe(self, track: _Track | None, detections: Detections, row: int) -> _Track:
        """Update ``track`` with row ``row`` of the detections, or start a new track with it (None)."""
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

    def _give_up(self) -> tuple[int, ...]:
        """Drop tentative tracks that were not seen now, and others unseen for too long; their ids."""

        def is_over(track: _Track) -> bool:
            timeout_s = 0 if self._state(track) == State.TENTATIVE else self.options.timeout_s
            return self._stamp_s - track.stamp_s > timeout_s

        lost = tuple(track.id for track in self._tracks if is_over(track))
        self._tracks = [track for track in self._tracks if not is_over(track)]
        return lost


def _with_unseen(detections: Detections, ids: list[int], unseen: list[_Track], stamp_s: float) -> Detections:
    """``detections`` with their ``ids``, then the ``unseen`` tracks where they are predicted at ``stamp_s``."""
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
    """Predict N > 0 tracks: (N,) s since they were seen, boxes (N, 4) and keypoints (N, J, 2) px at ``stamp_s``."""
    unseen_s = np.array([stamp_s - track.stamp_s for track in tracks])
    moved = unseen_s[:, None] * np.stack([track.velocity for track in tracks])
    boxes = np.stack([track.box for track in tracks]) + np.tile(moved, 2)
    return unseen_s, boxes, np.stack([track.kp2d for track in tracks]) + moved[:, None]


def _mean_shift(before: Floats, after: Floats, weight: Floats) -> Floats:
    """(2,) mean movement of keypoints (J, 2) px with weights (J,); 0 when all weights are."""
    return np.asarray(weight @ (after - before) / max(float(weight.sum()), 1e-9))
