# SPDX-License-Identifier: Apache-2.0
"""Stable ids: detections of this image are assigned to the tracks of earlier ones."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Ints
from hmr_ros.core.config import PerceptionSettings
from hmr_ros.core.people import UNTRACKED, Detections, State
from hmr_ros.core.records import join_rows
from hmr_ros.core.skeleton import JOINT_SETS, convert_keypoints
from hmr_ros.perception.appearance import Look, evidence
from hmr_ros.perception.assignment import assign
from hmr_ros.perception.carrying import View
from hmr_ros.perception.reidentification import Cues, Memory, keep_apart, known_again
from hmr_ros.perception.similarity import SIZE_TOLERANCE, box_iou, keypoint_similarity, size_similarity
from hmr_ros.perception.track import Track, carry, expected
from hmr_ros.perception.tracks import Tracks as Tracks
from hmr_ros.perception.tracks import with_unseen


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


_TOLERANCE_GROWTH = 10.0
"""Increase of the keypoint tolerance per second that a track is unseen, as a multiple of itself: a body size per
second. Without it, people whose velocity is not known yet could not be tracked at 5 images per second."""
_SIZE_GROWTH = 1.0
"""The same for the size: a person who walks towards the camera, 3 m away, grows by a third in a second."""
_LONGEST_PAUSE_S = 10.0
"""Slow machines and cameras pause for longer than the timeout; after a longer pause than this, tracks do not go on."""
_LOOK_NATS = 2.0
"""Evidence by looks that counts: people dress alike, and are half hidden."""
_UNLIKE = -2.0
"""A person who was hidden is not one whom looks contradict more, wherever they are."""
_LOOKS_AT_NEW = 4
"""A new track may turn out to be a lost one in so many views, from the image that confirms it on."""


class Tracker:
    """Gives people ids that last: constant velocity, optimal assignment, a timeout.

    A new track is *tentative* until seen ``hits_to_confirm`` times in a row, then *tracked*; one that is not seen is
    *coasting* along its velocity until found again, or lost after ``timeout_s``; a tentative one is lost at once. Ids
    count up and are one person's each. With ``keep_ids`` the id of a detection decides, wherever the person was; one
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
        self._tracks: list[Track] = []
        self._memory = Memory()
        self._ids = itertools.count(1) if ids is None else ids
        self._stamp_s = self._pause_s = -np.inf
        self._joint_set = ""
        self._held: set[int] = set()

    def reset(self) -> None:
        """Forget all tracks; ids go on counting."""
        self._tracks, self._memory = [], Memory()

    def configure(self, settings: PerceptionSettings) -> None:
        """Take over the settings that may change between images."""
        self.options = dataclasses.replace(
            self.options, timeout_s=settings.track_timeout_s, keep_ids=settings.detections.keep_ids
        )

    def update(
        self,
        detections: Detections,
        stamp_s: float,
        view: View | None = None,
        cues: Cues | None = None,
        skipped: Bools | None = None,
    ) -> Tracks:
        """The tracks after an image with ``detections``, taken at ``stamp_s`` s, which must never decrease.

        By ``view`` the camera's own motion cancels; None: it stood still. By ``cues`` people who were lost are known
        again; None: no track is remembered. Those ``skipped`` (P,) were not looked at: their tracks are held, TRACKED.
        Raises ValueError where ids are kept and two detections have the same.
        """
        self._pause_s, self._stamp_s = stamp_s - self._stamp_s, stamp_s
        self._use_joint_set(detections.joint_set)
        carry((*self._tracks, *self._memory.lost), view)
        looks = Look.unknown(len(detections))
        looks = looks if cues is None else looks.with_view(cues.appearance)
        ids = self._kept_ids(detections)
        track_of = self._by_id(ids)
        if self._pause_s <= max(self.options.timeout_s, _LONGEST_PAUSE_S):
            track_of |= self._by_position(detections, looks, ids, track_of)
        renamed = [track.id for d, track in track_of.items() if ids[d] not in (UNTRACKED, track.id)]
        held = {d: track_of[d] for d in _rows_of(skipped) if d in track_of}
        self._held = {track.id for track in held.values()}
        shown = [
            held.get(d) or self._observe(track_of.get(d), detections, d, int(ids[d])) for d in range(len(detections))
        ]
        seen = np.array([d not in held for d in range(len(detections))], np.bool_)
        for track in itertools.compress(shown, seen):
            track.pose = None if view is None else view.pose
        _look_at(shown, seen, cues)
        renamed += [] if cues is None else self._know_again(list(itertools.compress(shown, seen)), cues)
        lost, forgotten = self._give_up(remember=cues is not None)
        unseen = [track for track in self._tracks if track.stamp_s < stamp_s and track.id not in self._held]
        return Tracks(
            with_unseen(detections, shown, unseen, stamp_s),
            np.array([*map(self._state, shown), *map(self._state, unseen)], np.uint8),
            np.array([stamp_s - track.stamp_s for track in (*shown, *unseen)]),
            (*renamed, *lost),
            (*renamed, *forgotten),
        )

    def looks(self, ids: Ints) -> Look:
        """How the tracks ``ids`` (P,) have looked so far; unknown where there is no such track, or no cues."""
        return Look.of_ids({track.id: track.look for track in self._tracks}, ids)

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

    def _by_id(self, ids: Ints) -> dict[int, Track]:
        """The tracks of the detections whose kept ``ids`` (P,) are known, by row."""
        known = {track.id: track for track in self._tracks}
        return {d: known[track_id] for d, track_id in enumerate(ids.tolist()) if track_id in known}

    def _by_position(self, detections: Detections, looks: Look, ids: Ints, known: dict[int, Track]) -> dict[int, Track]:
        """The tracks that other detections than the ``known`` rows belong to, by row.

        A detection with a kept id of its own may be someone whose id was ours until now, but no one with another id.
        """
        rows = np.array([d for d in range(len(detections)) if d not in known], np.int64)
        known_ids = {track.id for track in known.values()}
        tracks = [track for track in self._tracks if track.id not in known_ids]
        free = np.array([[ids[d] == UNTRACKED or not track.is_kept for d in rows] for track in tracks])
        pairs = self._match(tracks, detections.take(rows), looks.take(rows), free)
        return {int(rows[d]): tracks[t] for d, t in pairs}

    def _match(self, tracks: list[Track], detections: Detections, looks: Look, free: Bools) -> list[tuple[int, int]]:
        """(row of ``detections``, row of ``tracks``) of each track that is seen again, where ``free`` (T, P).

        Position decides whether a detection can belong to a track; among those that can, size tells a nearer person
        from a farther one, and ``looks`` tell people who cross. (Neither rules anything out: people bend, and light
        changes.) People without keypoints have boxes alone.
        """
        if not tracks or len(detections) == 0:
            return []
        unseen_s, boxes, kp2d = expected(tracks, self._stamp_s)
        weight = np.stack([track.kp2d_score for track in tracks])
        extent = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)) * (1 + _TOLERANCE_GROWTH * unseen_s)
        alike = keypoint_similarity(kp2d, detections.kp2d, weight, detections.kp2d_score, extent)
        overlap = box_iou(boxes, detections.boxes)
        bare = (weight.max(1) == 0)[:, None] | (detections.kp2d_score.max(1) == 0)[None]
        position = np.where(free, np.where(bare, overlap, (overlap + alike) / 2), 0.0)
        tolerance = SIZE_TOLERANCE * (1 + _SIZE_GROWTH * unseen_s)
        size = size_similarity(kp2d, detections.kp2d, weight, detections.kp2d_score, tolerance)
        nats = evidence(join_rows([track.look for track in tracks]), looks)
        hidden = unseen_s > self._pause_s
        position = np.where(hidden[:, None] & (nats < _UNLIKE), 0.0, position)
        pairs = assign(-position * size / (1 + np.exp(-nats / _LOOK_NATS)))
        possible = position[pairs[:, 0], pairs[:, 1]] >= self.options.min_similarity
        return [(int(d), int(t)) for t, d in pairs[possible]]

    def _observe(self, track: Track | None, detections: Detections, row: int, kept_id: int) -> Track:
        """Update ``track`` with row ``row`` of the detections, or start a new track with it (None).

        It gets ``kept_id`` unless that is UNTRACKED.
        """
        d, score = detections, float(detections.scores[row])
        if track is None:
            new_id = self._new_id() if kept_id == UNTRACKED else kept_id
            seen = (d.boxes[row], score, d.kp2d[row], d.kp2d_score[row])
            track = Track(new_id, *seen, self._stamp_s, velocity=np.zeros(2))
            self._tracks.append(track)
        else:
            was_hidden = track.stamp_s < self._stamp_s - self._pause_s  # and is found where it was expected: itself
            track.is_new &= not was_hidden and track.look.views.max() < _LOOKS_AT_NEW
            track.follow(d.boxes[row], score, d.kp2d[row], d.kp2d_score[row], self._stamp_s)
        if kept_id != UNTRACKED:
            track.id, track.is_kept = kept_id, True
        return track

    def _new_id(self) -> int:
        """The next id of ours; ids that are kept may be any numbers."""
        used = {track.id for track in self._tracks}
        return next(track_id for track_id in self._ids if track_id not in used)

    def _state(self, track: Track) -> State:
        if track.hits < self.options.hits_to_confirm:
            return State.TENTATIVE
        is_tracked = track.stamp_s == self._stamp_s or track.id in self._held
        return State.TRACKED if is_tracked else State.COASTING

    def _know_again(self, seen: list[Track], cues: Cues) -> list[int]:
        """Give new tracks of ``seen`` the ids of people who were lost or are coasting; the ids that they had."""
        recent = [t for t in seen if t.is_new and not t.is_kept]
        keep_apart(recent, seen)
        new, in_view = [t for t in recent if t.hits >= self.options.hits_to_confirm], [t for t in seen if not t.is_new]
        coasting = [t for t in self._tracks if self._state(t) == State.COASTING and not t.is_kept]
        renamed = []
        for track, before in known_again(new, [*self._memory.lost, *coasting], in_view, cues.sizes):
            renamed.append(track.id)
            track.id, track.hits, track.is_new = before.id, before.hits + track.hits, False
            self._memory.lost = [t for t in self._memory.lost if t is not before]
            self._tracks = [t for t in self._tracks if t is not before]
        return renamed

    def _give_up(self, *, remember: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Drop tentative tracks that were not seen now, and others unseen for too long; their ids.

        And the ids that cannot come back any more: all of them, unless the tracker is to ``remember`` people.
        """

        def is_over(track: Track) -> bool:
            timeout_s = 0 if self._state(track) == State.TENTATIVE else self.options.timeout_s
            if track.id in self._held:
                return False
            return self._stamp_s - track.stamp_s > timeout_s

        over = [track for track in self._tracks if is_over(track)]
        self._tracks = [track for track in self._tracks if not is_over(track)]
        kept = [t for t in over if remember and self._state(t) != State.TENTATIVE and not t.is_kept]
        forgotten = self._memory.add(kept) + self._memory.forget(self._stamp_s if remember else np.inf)
        lost = tuple(track.id for track in over)
        return lost, forgotten + tuple(track.id for track in over if track not in kept)


def _rows_of(skipped: Bools | None) -> list[int]:
    return [] if skipped is None else np.flatnonzero(skipped).tolist()


def _look_at(shown: list[Track], seen: Bools, cues: Cues | None) -> None:
    """Give the tracks ``shown``, where ``seen``, the view that ``cues`` have of each."""
    tracks = list(itertools.compress(shown, seen))
    if tracks and cues is not None:
        looks = join_rows([track.look for track in tracks]).with_view(cues.appearance.take(seen))
        for row, track in enumerate(tracks):
            track.look = looks.take(slice(row, row + 1))
