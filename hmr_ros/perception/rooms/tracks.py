# SPDX-License-Identifier: Apache-2.0
"""The people of one camera as it saw them last, each with a velocity in the world."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Floats
from hmr_ros.core.records import Record, join_rows
from hmr_ros.core.temporal.velocity import MAX_GAP_S, filtered_velocity
from hmr_ros.perception.rooms.observation import Observed

LIVE_S = 0.4
"""A person whom a camera has not shown for longer is no evidence of where anybody is."""

_VELOCITY_MEMORY_S = 0.3


@dataclass(frozen=True, eq=False)
class CameraTracks(Record):
    """N ``people``, last seen at ``stamps`` (N,) s, with ``velocities`` (N, 3) m/s; ``since_s`` (N,): first seen."""

    people: Observed
    stamps: Floats
    velocities: Floats
    since_s: Floats

    @staticmethod
    def begun(people: Observed, stamp_s: float) -> CameraTracks:
        """People at rest, first seen now."""
        stamps = np.full(len(people), stamp_s)
        return CameraTracks(people, stamps, np.zeros((len(people), 3)), stamps)

    def updated(self, people: Observed, stamp_s: float) -> CameraTracks:
        """After an image that shows ``people``: those first, in their order; then others that were seen lately."""
        now = CameraTracks.begun(people, stamp_s)
        rows = {track: row for row, track in enumerate(self.people.tracks.tolist())}
        before = np.array([rows.get(track, -1) for track in people.tracks.tolist()], np.int64)
        known = before >= 0
        now = now.continued(known, self.take(before[known]), stamp_s)
        others = ~np.isin(self.people.tracks, people.tracks) & (stamp_s - self.stamps <= LIVE_S)
        return join_rows([now, self.take(others)]) if others.any() else now

    def continued(self, known: Bools, before: CameraTracks, stamp_s: float) -> CameraTracks:
        """These, of whom the ``known`` (N,) were as in ``before``."""
        velocities, since_s = self.velocities.copy(), self.since_s.copy()
        dt = stamp_s - before.stamps
        steady = (dt > 0) & (dt <= MAX_GAP_S)
        moved = self.people.roots[known] - before.people.roots
        step = np.where(steady, dt, 1.0)[:, None]
        filtered = filtered_velocity(before.velocities, moved, step, _VELOCITY_MEMORY_S)
        velocities[known] = np.where(steady[:, None], filtered, 0.0)
        since_s[known] = before.since_s
        return dataclasses.replace(self, velocities=velocities, since_s=since_s)

    def at(self, stamp_s: float) -> Floats:
        """Positions (N, 3) m, carried to ``stamp_s`` by their velocities."""
        return np.asarray(self.people.roots + (stamp_s - self.stamps)[:, None] * self.velocities)

    def live(self, stamp_s: float) -> CameraTracks:
        """Those who were seen lately."""
        recent = np.abs(stamp_s - self.stamps) <= LIVE_S
        return self if recent.all() else self.take(recent)
