# SPDX-License-Identifier: Apache-2.0
"""What each camera of a room says: keypoints with a detector's errors, then the robot's own tracker and networks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from hmr_ros.core.arrays import Bools, Floats, Image, Ints
from hmr_ros.core.people import UNTRACKED, Bodies, Detections
from hmr_ros.core.skeleton import JOINT_SETS
from hmr_ros.core.temporal.shedding import Shed
from hmr_ros.evaluation.rooms.scenes import JOINT_SET, Room, RoomCamera
from hmr_ros.perception.appearance import Look
from hmr_ros.perception.detector import Detector
from hmr_ros.perception.pipeline import Pipeline
from hmr_ros.training.synthetic.persistence import Clock, Persistence, persistent_error

NOISE = "human36m"
_SEEN = 0.5
"""Fraction of keypoints in view that people are found by."""

_WIDTH_M, _IN_FRONT_M = 0.2, 0.3
"""Half the width of a person, who hides others that far behind."""


@dataclass(frozen=True, eq=False)
class Said:
    """The ``bodies`` that ``camera`` (its number) published of the image taken at ``time_s``, stamped ``stamp_s``.

    ``shown`` are the people (numbers) who were detected; ``looks`` of the bodies, None: there is no image of them.
    """

    camera: int
    time_s: float
    stamp_s: float
    bodies: Bodies
    shown: Ints
    looks: Look | None = None


class GivenDetector(Detector):
    """Finds no people: what people look like is given to the pipeline."""

    def detect(self, image: Image, shed: Shed = Shed.NOTHING) -> Detections:
        """No people."""
        return Detections.empty(JOINT_SET)


def said_by_all(room: Room, open_pipeline: Callable[[], Pipeline], rng: Generator) -> list[Said]:
    """What all cameras say, in the order in which images are taken."""
    return in_order(
        each for number, camera in enumerate(room.cameras) for each in _said(number, camera, room, open_pipeline(), rng)
    )


def in_order(said: Iterable[Said]) -> list[Said]:
    """``said`` in the order in which images are taken."""
    return sorted(said, key=lambda each: each.time_s)


def shown_people(camera: RoomCamera, room: Room) -> list[Ints]:
    """The people (numbers) of whom ``camera`` sees enough, for each of its images."""
    _, seen = _looked_at(camera, room)
    return [np.flatnonzero(people) for people in (seen.mean(-1) > _SEEN).T]


def _looked_at(camera: RoomCamera, room: Room) -> tuple[Floats, Bools]:
    """Exact pixels (P, T, J, 2) of all keypoints in all images, and which are seen."""
    points = np.stack([room.walkers.keypoints_at(t) for t in camera.times], 1)  # (P, T, J, 3)
    return _projected(camera.actual.inverse()(points), camera)


def _said(number: int, camera: RoomCamera, room: Room, pipeline: Pipeline, rng: Generator) -> list[Said]:
    pixels, seen = _looked_at(camera, room)
    noisy = _noisy(pixels, camera.times, rng)
    image = np.zeros((camera.camera.height, camera.camera.width, 3), np.uint8)
    out = []
    for k, time_s in enumerate(camera.times.tolist()):
        shown = np.flatnonzero(seen[:, k].mean(-1) > _SEEN)
        detections = _detections(noisy[shown, k], seen[shown, k])
        stamp_s = time_s + camera.late_s
        result = pipeline(image, camera.camera, stamp_s, detections=detections)
        out.append(Said(number, time_s, stamp_s, result.bodies, shown))
    return out


def _projected(optical: Floats, camera: RoomCamera) -> tuple[Floats, Bools]:
    """(P, T, J, 3) m -> pixels (P, T, J, 2), and which are in the image and not behind anyone."""
    K, depth = camera.camera.K, np.maximum(optical[..., 2:], 0.05)
    pixels = optical[..., :2] / depth * K[0, 0] + K[:2, 2]
    inside = ((pixels >= 0) & (pixels < [camera.camera.width, camera.camera.height])).all(-1) & (optical[..., 2] > 0.3)
    depths, middles, tops = optical[..., 2].mean(-1), pixels[..., 0].mean(-1), pixels[..., 1].min(-1)
    hidden = np.zeros(inside.shape, np.bool_)
    for near in range(len(optical)):
        width = _WIDTH_M * K[0, 0] / np.maximum(depths[near], 0.3)
        beside = np.abs(pixels[..., 0] - middles[near][None, :, None]) < width[None, :, None]
        behind = (depths > depths[near][None] + _IN_FRONT_M)[..., None] & (pixels[..., 1] > tops[near][None, :, None])
        hidden |= beside & behind & (depths[near] > 0.3)[None, :, None]
    return pixels, inside & ~hidden


def _noisy(pixels: Floats, times: Floats, rng: Generator) -> Floats:
    """``pixels`` (P, T, J, 2) with a detector's errors, which last."""
    joint_set, count = JOINT_SETS[JOINT_SET], len(pixels)
    clock = Clock.drawn(np.tile(times, (count, 1)), joint_set.size, Persistence(), rng)
    return persistent_error(pixels, joint_set, NOISE, np.ones(count), clock, Persistence(), rng)


def _detections(pixels: Floats, seen: Bools) -> Detections:
    inside = np.where(seen[..., None], pixels, np.nan)
    count = len(pixels)
    low, high = (np.nanmin(inside, 1), np.nanmax(inside, 1)) if count else (np.zeros((0, 2)), np.zeros((0, 2)))
    boxes = np.concatenate([low, high], 1)
    ids = np.full(count, UNTRACKED, np.int64)
    return Detections(boxes, np.ones(count), np.where(seen[..., None], pixels, 0.0), 0.9 * seen, JOINT_SET, ids)
