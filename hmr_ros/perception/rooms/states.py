# SPDX-License-Identifier: Apache-2.0
"""What is remembered of the people and the cameras of a room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.perception.appearance import Look
from hmr_ros.perception.rooms.observation import Key, View
from hmr_ros.perception.rooms.offsets import Offset, centred
from hmr_ros.perception.rooms.person import PersonMotion, Sighting
from hmr_ros.perception.rooms.pose import FusedPose
from hmr_ros.perception.rooms.tracks import CameraTracks

_CENTRED_S = 3.0
"""Time constant at which what all cameras' offsets have in common is taken away."""

_SIZE_WEIGHT = 0.1
"""Of the size in one image in the mean of a person."""


@dataclass(eq=False)
class Person:
    """A person of the room: ``motion``, and by camera the track that is theirs, ``members``.

    ``is_sure``: no other whom other cameras see; ``pose`` and ``score`` as fused last. ``born_at`` (3,) m; ``looks``
    (one row) by camera, ``size`` in template sizes (NaN: not known) and all ``tracks`` so far, to know them again.
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
    is_new: bool = True
    looks: dict[str, Look] = field(default_factory=dict)
    size: float = float("nan")
    tracks: set[Key] = field(default_factory=set)
    born_at: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.born_at = self.motion.position

    def look_at(self, view: View, row: int) -> None:
        """Remember how row ``row`` of ``view``, which shows the person, looks."""
        self.tracks.add((view.camera, int(view.people.tracks[row])))
        size = float(view.people.sizes[row]) / self.motion.size_factor(view.camera)
        self.size = size if np.isnan(self.size) else self.size + _SIZE_WEIGHT * (size - self.size)
        look = view.people.looks.take(slice(row, row + 1))
        if look.views.any():
            self.looks[view.camera] = look

    def resume(self, before: Person) -> None:
        """Go on as the person who was ``before``."""
        self.id, self.is_new, self.is_sure = before.id, False, True
        self.looks = {**before.looks, **self.looks}
        self.tracks |= before.tracks


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


def centre(states: Sequence[CameraState], elapsed_s: float) -> None:
    """Let the cameras that are fused have no movement in common."""
    if len(states) > 1:
        eyes = np.stack([state.eye for state in states])
        fraction = min(elapsed_s / _CENTRED_S, 1.0)
        for state, offset in zip(states, centred([s.offset for s in states], eyes, fraction), strict=True):
            state.offset = offset
