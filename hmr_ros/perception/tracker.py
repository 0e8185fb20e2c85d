# SPDX-License-Identifier: Apache-2.0
"""Stable ids: detections of this image are assigned to the tracks of earlier ones."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Floats, Ints
from hmr_ros.core.config import PerceptionSettings
from hmr_ros.core.geometry.camera_motion import CameraPose
from hmr_ros.core.people import UNTRACKED, Detections, State
from hmr_ros.core.records import join_rows
from hmr_ros.core.skeleton import JOINT_SETS, convert_keypoints
from hmr_ros.core.temporal.velocity import filtered_velocity
from hmr_ros.perception.assignment import assign
from hmr_ros.perception.carrying import View, carried_person
from hmr_ros.perception.similarity import SIZE_TOLERANCE, box_iou, keypoint_similarity, size_similarity


@dataclass(frozen=True)
class TrackerOptions:
    """How Tracker works.

    ``timeout_s``: a track unseen for longer is lost. ``hits_to_confirm``: number of consecutive images with the person
    that confirm a track (1: at once). ``min_similarity``: 0..1, minimum mean of box overlap and keypoint similarity of
    a track and its detection. ``keep_ids``: detections that have an id keep it, and belong to the track of that id.
    """

    timeout_s: float = 1.0
    hits_to_confirm: int = 2
    min_similarity: float = 0.2
    keep_ids: bool = False

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
    number of images that showed the person; ``is_kept``: the id is that of another detector; ``pose`` of the camera, in
    whose image all this is, None: not known.
    """

    id: int
    box: Floats
    score: float
    kp2d: Floats
    kp2d_score: Floats
    stamp_s: float
    velocity: Floats
    hits: int = 1
    is_kept: bool = False
    pose: CameraPose | None = None

    def carry(self, view: View | None) -> None:
        """Move into the image of ``view``, as far as the camera's motion is known."""
        motion = None if view is None else view.pose.motion_from(self.pose)
        if view is not None and motion is not None:
            depth_m = view.depths.get(self.id, np.inf)
            self.box, self.kp2d = carried_person(self.box, self.kp2d, depth_m, motion, view.camera)
            self.pose = view.pose

    def follow(self, box: Floats, score: float, kp2d: Floats, kp2d_score: Floats, stamp_s: float) -> None:
        """Update the track with a detection at ``stamp_s``: box (4,), keypoints (J, 2) px and their scores (J,)."""
        elapsed = stamp_s - self.stamp_s
        if elapsed > 0:
            weight = self.kp2d_score * kp2d_score
            moved = _mean_shift(self.kp2d, kp2d, weight) if weight.any() else _box_shift(self.box, box)
            self.velocity = filtered_velocity(self.velocity, moved, elapsed, _VELOCITY_MEMORY_S)
        self.box, self.score, self.kp2d, self.kp2d_score, self.stamp_s = box, score, kp2d, kp2d_score, stamp_s
        self.hits += 1


class Tracker:
    """Gives people ids that last: constant velocity, optimal assignment, a timeout.

    A new track is *tentative* until seen ``hits_to_confirm`` times in a row, then *tracked*; one that is not seen is
    *coasting* along its velocity until found again, or lost after ``timeout_s``; a tentative one is lost at once. Ids
    count up and are never used twice. With ``keep_ids`` the id of a detection decides, wherever the person was; one
    without an id is assigned by position, and a track with an id of ours ends where its person gets one.
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
        self._joint_set = ""

    def reset(self) -> None:
        """Forget all tracks; ids go on counting."""
        self._tracks = []

    def configure(self, settings: PerceptionSettings) -> None:
        """Take over the settings that may change between images."""
        self.options = dataclasses.replace(
            self.options, timeout_s=settings.track_timeout_s, keep_ids=settings.detections.keep_ids
        )

    def update(self, detections: Detections, stamp_s: float, view: View | None = None) -> Tracks:
        """The tracks after an image with ``detections``, taken at ``stamp_s`` s, which must never decrease.

        By ``view`` the camera's own motion cancels; None: it stood still.
        Raises ValueError where ids are kept and two detections have the same.
        """
        pause_s, self._stamp_s = stamp_s - self._stamp_s, stamp_s
        self._use_joint_set(detections.joint_set)
        for track in self._tracks:
            track.carry(view)
        ids = self._kept_ids(detections)
        track_of = self._by_id(ids)
        if pause_s <= max(self.options.timeout_s, _LONGEST_PAUSE_S):
            track_of |= self._by_position(detections, ids, track_of)
        renamed = [track.id for d, track in track_of.items() if ids[d] not in (UNTRACKED, track.id)]
        seen = [self._observe(track_of.get(d), detections, d, int(ids[d])) for d in range(len(detections))]
        for track in seen:
            track.pose = None if view is None else view.pose
        lost = (*renamed, *self._give_up())
        unseen = [track for track in self._tracks if track.stamp_s < stamp_s]
        return Tracks(
            _with_unseen(detections, [track.id for track in seen], unseen, stamp_s),
            np.array([*map(self._state, seen), *map(self._state, unseen)], np.uint8),
            np.array([stamp_s - track.stamp_s for track in (*seen, *unseen)]),
            lost,
        )

    def _use_joint_set(self, name: str) -> None:
        """Convert the keypoints of all tracks where detections have another joint set than those before."""
        for track in self._tracks if self._joint_set != name else ():
            source, target = JOINT_SETS[self._joint_set], JOINT_SETS[name]
            kp2d, scores = convert_keypoints(track.kp2d[None], track.kp2d_score[None], source, target)
            track.kp2d, track.kp2d_score = kp2d[0], scores[0]
        self._joint_set = name

    def _kept_ids(self, detections: Detections) -> Ints:
        """(P,) the ids to keep, UNTRACKED for others. Raises ValueError for two that are the same."""
        if not self.options.keep_ids:
            return np.full(len(detections), UNTRACKED)
        ids = detections.ids[detections.ids != UNTRACKED]
        if len(np.unique(ids)) < len(ids):
            raise ValueError(f"detections: ids are to be kept, and two are the same: {sorted(ids.tolist())}")
        return detections.ids

    def _by_id(self, ids: Ints) -> dict[int, _Track]:
        """The tracks of the detections whose kept ``ids`` (P,) are known, by row."""
        known = {track.id: track for track in self._tracks}
        return {d: known[track_id] for d, track_id in enumerate(ids.tolist()) if track_id in known}

    def _by_position(self, detections: Detections, ids: Ints, known: dict[int, _Track]) -> dict[int, _Track]:
        """The tracks that other detections than the ``known`` rows belong to, by row.

        A detection with a kept id of its own may be someone whose id was ours until now, but no one with another id.
        """
        rows = [d for d in range(len(detections)) if d not in known]
        known_ids = {track.id for track in known.values()}
        tracks = [track for track in self._tracks if track.id not in known_ids]
        free = np.array([[ids[d] == UNTRACKED or not track.is_kept for d in rows] for track in tracks])
        return {rows[d]: tracks[t] for d, t in self._match(tracks, detections.take(np.array(rows, np.int64)), free)}

    def _match(self, tracks: list[_Track], detections: Detections, free: Bools) -> list[tuple[int, int]]:
        """(row of ``detections``, row of ``tracks``) of each track that is seen again, where ``free`` (T, P).

        Position decides whether a detection can belong to a track; among those that can, size tells a nearer person
        from a farther one. (Size alone rules nothing out: people bend.) People without keypoints have boxes alone.
        """
        if not tracks or len(detections) == 0:
            return []
        unseen_s, boxes, kp2d = _expected(tracks, self._stamp_s)
        weight = np.stack([track.kp2d_score for track in tracks])
        extent = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)) * (1 + _TOLERANCE_GROWTH * unseen_s)
        alike = keypoint_similarity(kp2d, detections.kp2d, weight, detections.kp2d_score, extent)
        overlap = box_iou(boxes, detections.boxes)
        bare = (weight.max(1) == 0)[:, None] | (detections.kp2d_score.max(1) == 0)[None]
        position = np.where(free, np.where(bare, overlap, (overlap + alike) / 2), 0.0)
        tolerance = SIZE_TOLERANCE * (1 + _SIZE_GROWTH * unseen_s)
        size = size_similarity(kp2d, detections.kp2d, weight, detections.kp2d_score, tolerance)
        pairs = assign(-position * size)
        possible = position[pairs[:, 0], pairs[:, 1]] >= self.options.min_similarity
        return [(int(d), int(t)) for t, d in pairs[possible]]

    def _observe(self, track: _Track | None, detections: Detections, row: int, kept_id: int) -> _Track:
        """Update ``track`` with row ``row`` of the detections, or start a new track with it (None).

        It gets ``kept_id`` unless that is UNTRACKED.
        """
        d, score = detections, float(detections.scores[row])
        if track is None:
            new_id = self._new_id() if kept_id == UNTRACKED else kept_id
            seen = (d.boxes[row], score, d.kp2d[row], d.kp2d_score[row])
            track = _Track(new_id, *seen, self._stamp_s, velocity=np.zeros(2))
            self._tracks.append(track)
        else:
            track.follow(d.boxes[row], score, d.kp2d[row], d.kp2d_score[row], self._stamp_s)
        if kept_id != UNTRACKED:
            track.id, track.is_kept = kept_id, True
        return track

    def _new_id(self) -> int:
        """The next id of ours; ids that are kept may be any numbers."""
        used = {track.id for track in self._tracks}
        return next(track_id for track_id in self._ids if track_id not in used)

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


def _box_shift(before: Floats, after: Floats) -> Floats:
    """(2,) movement of the middle of a box (4,) px: of a person without keypoints."""
    return np.asarray((after - before).reshape(2, 2).mean(0))
