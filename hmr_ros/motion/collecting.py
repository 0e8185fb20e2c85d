# SPDX-License-Identifier: Apache-2.0
"""Snapshots -> each person's samples, in the world of the floor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.geometry.frames import Transform
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.people import State
from hmr_ros.motion.track import Samples
from hmr_ros.results.snapshot import Snapshot


@dataclass(eq=False)
class _Collected:
    """What the images so far say about a person."""

    times: list[float] = field(default_factory=list)
    pose: list[Floats] = field(default_factory=list)
    cam_t: list[Floats] = field(default_factory=list)
    betas: list[Floats] = field(default_factory=list)
    fingers: list[Floats] = field(default_factory=list)


def samples_of(snapshots: Sequence[Snapshot], world_from_optical: Transform) -> tuple[Samples, ...]:
    """Each person of ``snapshots`` in the images that show them: those in which they coast are gaps.

    Raises ValueError for photos, which have no time.
    """
    if not all(np.isfinite(each.stamp_s) for each in snapshots):
        raise ValueError("photos are no motion: expected the result of a video or recording")
    people: dict[str, _Collected] = {}
    for snapshot in snapshots:
        seen = snapshot.bodies.valid & (snapshot.bodies.states == State.TRACKED)
        for row in np.flatnonzero(seen):
            _add(people.setdefault(snapshot.names[row], _Collected()), snapshot, int(row))
    return tuple(_samples(name, each, world_from_optical) for name, each in people.items())


def rate_hz(snapshots: Sequence[Snapshot]) -> float:
    """Images per second: one over the median interval. Raises ValueError for a single image."""
    intervals = np.diff([each.stamp_s for each in snapshots])
    intervals = intervals[intervals > 0]
    if not len(intervals):
        raise ValueError("one image is no motion: expected the result of a video or recording")
    return round(1 / float(np.median(intervals)), 3)


def _add(person: _Collected, snapshot: Snapshot, row: int) -> None:
    if person.times and snapshot.stamp_s <= person.times[-1]:
        return  # time that jumps back ends all tracks; of a repeated stamp the first counts
    bodies = snapshot.bodies
    person.times.append(snapshot.stamp_s)
    person.pose.append(np.concatenate([bodies.global_orient[row][None], bodies.body_pose[row]]))
    person.cam_t.append(bodies.cam_t[row])
    person.betas.append(bodies.betas[row])
    person.fingers.append(np.zeros((2, 15, 3)) if bodies.hands is None else bodies.hands.pose[row])


def _samples(name: str, person: _Collected, world_from_optical: Transform) -> Samples:
    pose = np.array(person.pose, np.float64)
    pose[:, 0] = rotmat_to_rotvec(world_from_optical.rotation @ rotvec_to_rotmat(pose[:, 0]))
    pelvis = np.asarray(world_from_optical(np.array(person.cam_t, np.float64)), np.float64)
    betas = np.median(np.array(person.betas, np.float64), 0)
    return Samples(name, np.array(person.times), pose, pelvis, betas, np.array(person.fingers, np.float64))
