# SPDX-License-Identifier: Apache-2.0
"""What is remembered of the people and the cameras of a room."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.perception.rooms.observation import View
from hmr_ros.perception.rooms.offsets import Offset
from hmr_ros.perception.rooms.person import PersonMotion, Sighting
from hmr_ros.perception.rooms.pose import FusedPose
from hmr_ros.perception.rooms.tracks import CameraTracks


@dataclass(eq=False)
class Person:
    """A person of the room: ``motion``, and by camera the track that is theirs, ``members``.

    ``is_sure``: no other whom other cameras see; ``pose`` and ``score`` as fused last.
    """

    id: int
    motion: PersonMotion
    born_s: float
    seen_s: float
    members: dict[str, int] = field(default_factory=dict)
    seen_by: dict[str, float] = field(default_factory=dict)
    joined_s: dict[str, float] = field(default_factory=dict)
    is_sure: bool = False
    score: float = 0.0
    pose: FusedPose | None = None


@dataclass(eq=False)
class CameraState:
    """What is remembered of one camera: its last ``tracks``, the ``offset`` of its pose, ``eye`` and stamp."""

    offset: Offset
    tracks: CameraTracks
    eye: Floats
    stamp_s: float
    interval_s: float = 0.1

    def sighting(self, view: View, row: int, clock_s: float) -> Sighting:
        """Row ``row`` of the camera's last ``view``, whose clock is wrong by ``clock_s`` s."""
        people, velocity = view.people, self.tracks.velocities[row]
        clock = clock_s**2 * np.outer(velocity, velocity)
        return Sighting(
            view.camera,
            view.stamp_s,
            self.eye,
            people.roots[row],
            float(people.along[row]),
            float(people.across[row]),
            self.offset.covariances(people.lines_of_sight[row]) + clock,
            self.interval_s,
        )
