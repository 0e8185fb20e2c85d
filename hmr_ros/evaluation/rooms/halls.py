# SPDX-License-Identifier: Apache-2.0
"""A hall whose middle no camera sees: people walk out of all views, and after seconds into another camera's."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.random import Generator

from hmr_ros.core.arrays import Floats
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.evaluation.rooms.scenes import Errors, Room, looking, room_of, sample_walkers, way_between
from hmr_ros.training.datasets.motion import Motion

_HALF_M = np.array([8.5, 2.0])
_EYES_M, _LOOK_AT_M = (1.2, 0.0, 2.3), (6.0, 0.0, 0.9)
"""One camera, and what it looks at; the other one is its mirror image. Near below them no person is seen whole."""

_ENDS_M = (4.5, 7.8)
"""People turn round so far from the middle."""


def sample_hall(motion: Motion, body: BodyModel, people: int, seconds: float, errors: Errors, rng: Generator) -> Room:
    """A random hall with two cameras back to back; the second one's pose is wrong."""
    walkers = sample_walkers(motion, body, [_way(seconds, rng) for _ in range(people)], rng)
    mirrored = np.array([-1.0, 1.0, 1.0])
    poses = [looking(side * np.array(_EYES_M), side * np.array(_LOOK_AT_M)) for side in (np.ones(3), mirrored)]
    return room_of(walkers, poses, seconds, errors, rng)


def _way(seconds: float, rng: Generator) -> Floats:
    """(T, 2) m: from one end of the hall to the other, and back."""
    sides = itertools.cycle(rng.permutation([-1.0, 1.0]).tolist())

    def end() -> Floats:
        y = rng.uniform(-_HALF_M[1] + 0.5, _HALF_M[1] - 0.5)
        return np.array([next(sides) * rng.uniform(*_ENDS_M), y])

    return way_between(end, _HALF_M, rng.uniform(0.9, 1.4), seconds, rng)
