"""Stable ids: which person of this image was which in the last ones."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.people import UNTRACKED, Detections, Floats
from hmr_ros.perception.assignment import assign
from hmr_ros.perception.similarity import box_iou, keypoint_similarity


@dataclass(frozen=True)
class TrackerOptions:
    """``timeout_s``: a person unseen for longer is lost. ``hits_to_confirm``: images a person must be seen in, one
    after the other, to get an id (1: at once, for single photos). ``min_similarity``: 0..1, mean of box overlap and
    keypoint similarity; what is less alike is not the same person.
    """

    timeout_s: float = 0.5
    hits_to_confirm: int = 2
    min_similarity: float = 0.2

    def __post_init__(self) -> None:
        if not (self.timeout_s > 0 and self.hits_to_confirm >= 1 and 0 < self.min_similarity < 1):
            raise ValueError(f"expected timeout_s > 0, hits_to_confirm >= 1, 0 < min_similarity < 1, got {self}")


_VELOCITY_MEMORY_S = 0.15
"""Time constant of the velocity: long enough to calm the detector's jitter, short enough to turn round in."""
_TOLERANCE_GROWTH = 10.0
"""Rise of the keypoint tolerance per second that a person is unseen, as a multiple of itself: a body size per second.
Without it people whose velocity is not known yet could not be followed at 5 images per second."""


@dataclass(eq=False)
class _Track:
    """A person as last seen. ``velocity`` (2,) px/s is that of the whole body; ``id`` is UNTRACKED while tentative."""

    box: Floats
    kp2d: Floats
    kp2d_score: Floats
    stamp_s: float
    velocity: Floats
    hits: int = 1
    id: int = UNTRACKED

    def follow(self, box: Floats, kp2d: Floats, kp2d_score: Floats, stamp_s: float) -> None:
        """Take over what was seen at ``stamp_s``."""
        elapsed = stamp_s - self.stamp_s
        if elapsed > 0:
            moved = _mean_shift(self.kp2d, kp2d, self.kp2d_score * kp2d_score)
            gain = 1 - np.exp(-elapsed / _VELOCITY_MEMORY_S)
            self.velocity = self.velocity + gain * (moved / elapsed - self.velocity)
        self.box, self.kp2d, self.kp2d_score, self.stamp_s = box, kp2d, kp2d_score, stamp_s
        self.hits += 1


class Tracker:
    """Gives people ids that last: constant velocity, optimal assignment, patience for ``timeout_s``.

    A new person is *tentative* and not reported until seen ``hits_to_confirm`` times in a row, then *tracked*; one that
    is not seen is *coasting* along its velocity until found again or lost. Ids count up and are never used twice.
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

    @property
    def coasting(self) -> tuple[int, ...]:
        """Ids of the people who were not seen in the last update, but are not given up."""
        return tuple(t.id for t in self._tracks if t.id != UNTRACKED and t.stamp_s < self._stamp_s)

    def reset(self) -> None:
        """Forget everybody; ids go on counting."""
        self._tracks, self.lost = [], ()

    def update(self, detections: Detections, stamp_s: float) -> Detections:
        """The people of ``detections`` who have an id by now, in the same order. ``stamp_s`` must never decrease."""
        self._stamp_s = stamp_s
        track_of = dict(self._match(detections, stamp_s))
        ids = np.array([self._observe(track_of.get(d), detections, d) for d in range(len(detections))], np.int64)
        self._give_up()
        return dataclasses.replace(detections, ids=ids).take(ids != UNTRACKED)

    def _match(self, detections: Detections, stamp_s: float) -> list[tuple[int, _Track]]:
        """(row of ``detections``, track) of everybody seen again."""
        if not self._tracks or len(detections) == 0:
            return []
        similarity = self._similarity(detections, stamp_s)
        pairs = assign(-similarity)
        alike = similarity[pairs[:, 0], pairs[:, 1]] >= self.options.min_similarity
        return [(int(d), self._tracks[t]) for t, d in pairs[alike]]

    def _similarity(self, detections: Detections, stamp_s: float) -> Floats:
        """(T, P) 0..1 between the tracks, moved on to ``stamp_s``, and the people of ``detections``."""
        unseen_s = np.array([stamp_s - track.stamp_s for track in self._tracks])
        moved = unseen_s[:, None] * np.stack([track.velocity for track in self._tracks])
        boxes = np.stack([track.box for track in self._tracks]) + np.tile(moved, 2)
        kp2d = np.stack([track.kp2d for track in self._tracks]) + moved[:, None]
        weight = np.stack([track.kp2d_score for track in self._tracks])
        extent = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)) * (1 + _TOLERANCE_GROWTH * unseen_s)
        alike = keypoint_similarity(kp2d, detections.kp2d, weight, detections.kp2d_score, extent)
        return np.asarray((box_iou(boxes, detections.boxes) + alike) / 2)

    def _observe(self, track: _Track | None, detections: Detections, row: int) -> int:
        """Take row ``row`` over into its track, or into a new one; returns the id, UNTRACKED while tentative."""
        seen = (detections.boxes[row], detections.kp2d[row], detections.kp2d_score[row])
        if track is None:
            track = _Track(*seen, self._stamp_s, velocity=np.zeros(2))
            self._tracks.append(track)
        else:
            track.follow(*seen, self._stamp_s)
        if track.id == UNTRACKED and track.hits >= self.options.hits_to_confirm:
            track.id = next(self._ids)
        return track.id

    def _give_up(self) -> None:
        """Drop tentative people who were not seen now, and others unseen for too long."""

        def is_over(track: _Track) -> bool:
            return self._stamp_s - track.stamp_s > (0 if track.id == UNTRACKED else self.options.timeout_s)

        self.lost = tuple(t.id for t in self._tracks if t.id != UNTRACKED and is_over(t))
        self._tracks = [t for t in self._tracks if not is_over(t)]


def _mean_shift(before: Floats, after: Floats, weight: Floats) -> Floats:
    """(2,) mean movement of keypoints (J, 2) with weights (J,); 0 when none counts."""
    return np.asarray(weight @ (after - before) / max(float(weight.sum()), 1e-9))
