# SPDX-License-Identifier: Apache-2.0
"""What cameras of a room say, fused, beside the truth at the same times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from hmr_ros.core.arrays import Bools, Floats, Ints
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.people import State
from hmr_ros.evaluation.rooms.cameras import Said
from hmr_ros.evaluation.rooms.scenes import Room, inverted, swapped, turned
from hmr_ros.perception.rooms.fuser import RoomFuser
from hmr_ros.perception.rooms.options import FusingOptions
from hmr_ros.perception.rooms.room import bodies_of

OUTPUT_HZ = 10.0

KINDS = ("2 degrees, 3 cm", "turned by 20 degrees", "upside down", "two swapped")
"""What is wrong with a room's cameras. The first is what the fuser is made for."""


@dataclass(frozen=True, eq=False)
class Instant:
    """The room at one time: people ``ids`` (N,) at ``roots`` (N, 3) m; ``truth`` (P, 3) m, ``shown`` (P,) by a camera.

    ``statures`` (N,) m and ``covariances`` (N, 3, 3) m^2 of the roots.
    """

    time_s: float
    ids: Ints
    roots: Floats
    covariances: Floats
    statures: Floats
    truth: Floats
    shown: Bools


@dataclass(frozen=True, eq=False)
class Outcome:
    """The fused ``instants`` of a room; ``single`` (M,) m: errors of each camera's positions, in the world.

    ``refused``: the cameras that were left out in the end, by number.
    """

    instants: Sequence[Instant]
    single: Floats
    refused: tuple[int, ...]


def wrong_rooms(room: Room, rng: Generator) -> dict[str, tuple[Room, tuple[int, ...]]]:
    """``room`` with cameras that are grossly wrong, by kind, and the numbers of those that must be refused.

    Of two cameras it cannot be known which is wrong: three are needed, and four for two that are swapped.
    """
    last = len(room.cameras) - 1
    kinds: dict[str, tuple[Room, tuple[int, ...]]] = {KINDS[2]: (inverted(room), (last,))}
    if last >= 2:
        kinds[KINDS[1]] = turned(room, 20, rng), (last,)
    if last >= 3:
        kinds[KINDS[3]] = swapped(room), (last - 1, last)
    return kinds


def fused(room: Room, said: Sequence[Said], body: BodyModel, options: FusingOptions) -> Outcome:
    """Fuse what all cameras say, in the order in which it was taken, at OUTPUT_HZ."""
    fuser, instants, single = RoomFuser(body, options), [], []
    shown = np.full(len(room.walkers.roots), -np.inf)
    due_s = 0.0
    for each in said:
        camera = room.cameras[each.camera]
        fuser.add(each.bodies, camera.name, each.stamp_s, camera.stated, each.looks)
        shown[each.shown] = each.time_s
        single.append(_single(room, each))
        if each.time_s >= due_s:
            due_s = each.time_s + 1 / OUTPUT_HZ
            instants.append(_instant(room, fuser, body, each, shown))
    refused = tuple(n for n, camera in enumerate(room.cameras) if fuser.agreement.refused(camera.name))
    return Outcome(instants, np.concatenate(single), refused)


def _single(room: Room, said: Said) -> Floats:
    """(N,) m: errors of one camera's positions, of people whom it shows and took for those who are there."""
    bodies = said.bodies.take(said.bodies.valid & (said.bodies.states == State.TRACKED))
    if not len(bodies) or not len(said.shown):
        return np.zeros(0)
    roots = room.cameras[said.camera].stated(bodies.cam_t.astype(np.float64))
    apart = np.linalg.norm(roots[:, None] - room.walkers.roots_at(said.time_s)[said.shown][None], axis=-1)
    return np.asarray(apart.min(1))


def _instant(room: Room, fuser: RoomFuser, body: BodyModel, said: Said, shown: Floats) -> Instant:
    bodies = bodies_of(fuser, said.stamp_s, body)
    bodies = bodies.take(bodies.states != State.TENTATIVE)
    heights = body.v_template[:, 1] + bodies.betas @ body.shapedirs[:, 1].T
    return Instant(
        said.time_s,
        bodies.ids,
        bodies.cam_t.astype(np.float64),
        bodies.root_covariance,
        np.ptp(heights, axis=1) if len(bodies) else np.zeros(0),
        room.walkers.roots_at(said.time_s),
        np.asarray(said.time_s - shown < 1 / OUTPUT_HZ + 0.15),
    )
