# SPDX-License-Identifier: Apache-2.0
"""Following in turns: people who hardly move are looked at in every third image.

Following is most of what an image with many people costs, each person as much as the others. A person who stands is
where they were, and the networks' own noise is larger than what is missed in two images. The tracker holds such people
meanwhile, and their covariances grow with ``unseen_s``, as those of coasting people do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from hmr_ros.core.arrays import Bools, Floats
from hmr_ros.core.people import Detections, State
from hmr_ros.core.skeleton import JOINT_SETS
from hmr_ros.core.temporal.velocity import filtered_velocity
from hmr_ros.perception.doubting import covered
from hmr_ros.perception.similarity import box_overlap
from hmr_ros.perception.tracks import Tracks

PERIOD = 3
"""Everyone is looked at in one of so many images at least, ..."""
LONGEST_S = 0.25
"""... and before the last look is older than this, if images come at their usual rate."""
STILL = 0.25
"""Speed of the fastest keypoint of a person who hardly moves, in torsos per second: 12 cm/s."""
_MEMORY_S = 0.3
"""Time constant of that speed: the noise of keypoints cancels."""
_CALM_S = 0.5
"""People have hardly moved for so long: who turns back, as when swaying, is slow for a moment only."""
_SURE = 0.6
"""Minimum score of a person who is not looked at."""
_SEEN = 0.5
"""Minimum score of a keypoint whose speed counts, ..."""
_MIN_SEEN = 8
"""... and minimum number of them."""
_REACH = 0.5
"""Distance to the box of a person who moves at which people may be confused, in torsos: a walker's way in LONGEST_S."""


@dataclass(frozen=True, eq=False)
class _Look:
    """One track: ``kp2d`` (J, 2) px at ``stamp_s``; ``velocity`` (J, 2) px/s, which is slow since ``since_s``."""

    since_s: float
    stamp_s: float
    kp2d: Floats
    velocity: Floats

    def after(self, kp2d: Floats, stamp_s: float) -> _Look:
        """The same with keypoints (J, 2) px at ``stamp_s``."""
        if kp2d.shape != self.kp2d.shape or stamp_s <= self.stamp_s:
            return _Look(stamp_s, stamp_s, kp2d, np.zeros_like(kp2d))
        velocity = filtered_velocity(self.velocity, kp2d - self.kp2d, stamp_s - self.stamp_s, _MEMORY_S)
        return _Look(self.since_s, stamp_s, kp2d, velocity)


class Turns:
    """Chooses image by image who is not looked at in the next one; knows people's movement from those that it saw."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget how people move."""
        self._looks: dict[int, _Look] = {}
        self._due = 0.0

    def __call__(self, tracks: Tracks, stamp_s: float) -> Bools:
        """(P,) whom to skip in the image after ``tracks`` at ``stamp_s`` s; P detections come first among its people.

        Never a lone person, nor one who is not TRACKED, moves, is not sure, is covered by another one in part, or is
        near one who moves.
        """
        people, seen = tracks.people, tracks.unseen_s == 0
        looks = [self._look(people, row, bool(seen[row]), stamp_s) for row in range(len(people))]
        slow = _slow(people, looks) if looks else seen
        looks = [look if is_slow else replace(look, since_s=stamp_s) for look, is_slow in zip(looks, slow, strict=True)]
        self._looks = {int(track_id): look for track_id, look in zip(people.ids, looks, strict=True)}
        detected = tracks.states != State.COASTING
        if detected.sum() < 2:
            return np.zeros(int(detected.sum()), np.bool_)
        age_s = np.array([stamp_s - look.stamp_s for look in looks])
        still = np.array([stamp_s - look.since_s >= _CALM_S for look in looks])
        may = still & (tracks.states == State.TRACKED) & (age_s < LONGEST_S) & _apart(people, ~still)
        return np.asarray(self._without_next(may, age_s)[detected])

    def _look(self, people: Detections, row: int, seen: bool, stamp_s: float) -> _Look:
        before = self._looks.get(int(people.ids[row]))
        if before is None:
            return _Look(stamp_s, stamp_s, people.kp2d[row], np.zeros_like(people.kp2d[row]))
        return before.after(people.kp2d[row], stamp_s) if seen else before

    def _without_next(self, may: Bools, age_s: Floats) -> Bools:
        """(P,) those who ``may`` (P,) be skipped, without those of them whose turn it is: whose looks are oldest."""
        rows = np.flatnonzero(may)
        self._due += len(rows) / PERIOD
        number = int(self._due)
        self._due -= number
        skipped = may.copy()
        skipped[rows[np.argsort(-age_s[rows], kind="stable")[:number]]] = False
        return skipped


def _slow(people: Detections, looks: list[_Look]) -> Bools:
    """(P,) who surely hardly moves now."""
    counts = people.kp2d_score >= _SEEN
    speed = np.linalg.norm(np.stack([look.velocity for look in looks]), axis=-1)
    sure = (people.scores >= _SURE) & (counts.sum(1) >= _MIN_SEEN)
    return np.asarray(sure & (np.where(counts, speed, 0).max(1) < STILL * torsos(people)))


def torsos(people: Detections) -> Floats:
    """(P,) px: from the middle of the shoulders to that of the hips, or between the shoulders, whichever is longer."""
    left, right, hips = _trunk(people.joint_set)
    shoulders = people.kp2d[:, [left, right]].astype(np.float64)
    trunk = shoulders.mean(1) - people.kp2d[:, list(hips)].mean(1)
    return np.asarray(
        np.maximum(np.linalg.norm(trunk, axis=1), np.linalg.norm(shoulders[:, 0] - shoulders[:, 1], axis=1))
    )


@lru_cache(maxsize=8)
def _trunk(joint_set: str) -> tuple[int, int, tuple[int, int]]:
    """Rows of the shoulders and the hips, which all joint sets of detectors have."""
    names = JOINT_SETS[joint_set].joints
    hips = names.index("left_hip"), names.index("right_hip")
    return names.index("left_shoulder"), names.index("right_shoulder"), hips


def _apart(people: Detections, moving: Bools) -> Bools:
    """(P,) who is neither covered by another person in part nor near one of the ``moving`` (P,)."""
    boxes = people.boxes.astype(np.float64)
    near = box_overlap(boxes + _REACH * torsos(people)[:, None] * [-1, -1, 1, 1], boxes[moving]) > 0
    near[moving] = False  # a person's own box
    return np.asarray(~(near.any(1) | covered(boxes)))
