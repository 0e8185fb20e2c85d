# SPDX-License-Identifier: Apache-2.0
"""People who walk past each other in space, as a detector sees them: near ones hide far ones, and draw its points."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Floats, Int64s
from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.geometry.camera import project
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.people import UNTRACKED, Camera, Detections
from hmr_ros.core.skeleton import SMPL
from hmr_ros.perception.tracker import Tracker

BODY_MODEL = load_body_model(models_dir() / "open_body.npz")
CAMERA = Camera(np.array([[600.0, 0, 640], [0, 600, 360], [0, 0, 1]]), 1280, 720)

_STEP_HZ = 0.9
_LIMB_M = 0.11
"""A point this near to a bone in front of it is hidden."""
_NOISE = 0.015
"""Of keypoints, in heights of the person."""
_SEEN_FRACTION = 0.35
"""Minimum fraction of visible keypoints of a person who is detected."""


@dataclass(frozen=True)
class Walker:
    """``place``: s -> x, z m on the floor; ``screened``: (from, to) s behind something that hides all."""

    place: Callable[[float], tuple[float, float]]
    screened: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Scene:
    """``walkers`` for ``duration_s``, from a camera that turns ``turn`` rad/s to the right."""

    walkers: tuple[Walker, ...]
    duration_s: float
    turn: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """``switches``: number of times a person got another id than before; ``ids`` that were given in all."""

    switches: int
    ids: int


def follow(tracker: Tracker, scene: Scene, rate_hz: float, seed: int) -> Outcome:
    """Track the people of ``scene``."""
    rng = np.random.default_rng(seed)
    last: dict[int, int] = {}
    ids: set[int] = set()
    switches = 0
    phases = rng.uniform(0, 1, len(scene.walkers))
    for stamp_s in np.arange(rng.uniform(0, 1 / rate_hz), scene.duration_s, 1 / rate_hz):
        detections, walkers = _detected(scene, float(stamp_s), phases, rng)
        order = rng.permutation(len(walkers))  # a detector promises none
        seen = tracker.update(detections.take(order), float(stamp_s)).seen
        for track_id, walker in zip(seen.ids.tolist(), walkers[order].tolist(), strict=True):
            switches += last.setdefault(walker, track_id) != track_id
            last[walker] = track_id
            ids.add(track_id)
    return Outcome(switches, len(ids))


def _detected(scene: Scene, stamp_s: float, phases: Floats, rng: np.random.Generator) -> tuple[Detections, Int64s]:
    """What is detected, and which walker each row shows."""
    joints = np.stack([_joints(w, stamp_s, p) for w, p in zip(scene.walkers, phases, strict=True)])
    c, s = np.cos(scene.turn * stamp_s), np.sin(scene.turn * stamp_s)
    joints = joints @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]]).T
    points = np.stack([project(j, CAMERA) for j in joints])
    hidden, behind = _hidden(points, joints[..., 2])
    inside = ((points >= 0) & (points < (CAMERA.width, CAMERA.height))).all(-1)
    height = np.ptp(points[..., 1], axis=1)
    fraction = hidden.mean(1)
    for row in np.flatnonzero(fraction > 0.2):  # the more is hidden, the more points lie on the person in front
        points[row] += 0.8 * (fraction[row] - 0.2) * (points[behind[row]] - points[row])
    points = points + rng.normal(0, _NOISE, points.shape) * height[:, None, None]
    score = np.where(hidden, 0.3, 0.95) * inside
    out = [w.screened[0] <= stamp_s < w.screened[1] for w in scene.walkers]
    rows = np.flatnonzero(((~hidden & inside).mean(1) > _SEEN_FRACTION) & ~np.array(out))
    boxes = np.concatenate([points.min(1), points.max(1)], 1)
    detections = Detections(boxes, np.ones(len(points)), points, score, SMPL.name, np.full(len(points), UNTRACKED))
    return detections.take(rows), rows


def _joints(walker: Walker, stamp_s: float, phase: float) -> Floats:
    """(24, 3) m, optical frame at time 0: facing where they walk, legs and arms swinging with their speed."""
    here, ahead = np.array(walker.place(stamp_s)), np.array(walker.place(stamp_s + 0.1))
    velocity = (ahead - here) / 0.1
    speed = float(np.linalg.norm(velocity))
    facing = np.arctan2(velocity[0], -velocity[1]) if speed > 0.1 else 0.0
    swing = 0.4 * min(speed, 1.5) * np.sin(2 * np.pi * (_STEP_HZ * stamp_s + phase))
    pose = np.zeros((1, 24, 3))
    for side, sign in (("left", 1), ("right", -1)):
        pose[0, SMPL.index(f"{side}_hip"), 0] = sign * swing
        pose[0, SMPL.index(f"{side}_shoulder")] = (0.0, -0.5 * swing, -1.2 * sign)
    upright = np.array([[np.pi, 0, 0]])
    turned = BODY_MODEL.posed_joints(upright, pose[:, 1:], np.zeros((1, 10)))[0]
    c, s = np.cos(facing), np.sin(facing)
    return turned @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]) + (here[0], 0.1, here[1])


def _hidden(points: Floats, depth: Floats) -> tuple[Bools, Int64s]:
    """(P, J) which points are behind another person's limbs, and (P,) the person who hides most of each."""
    people = len(points)
    by = np.zeros((people, people, points.shape[1]), np.bool_)
    for near in range(people):
        radius = _LIMB_M * CAMERA.K[0, 0] / depth[near].mean()
        for far in range(people):
            if depth[near].mean() < depth[far].mean() - 0.05:
                by[far, near] = _distance_to_bones(points[far], points[near]).min(1) < radius
    return by.any(1), by.sum(2).argmax(1)


def _distance_to_bones(points: Floats, skeleton: Floats) -> Floats:
    """(J, bones) px."""
    a, b = skeleton[SMPL.edge_indices[:, 0]], skeleton[SMPL.edge_indices[:, 1]]
    along = b - a
    t = ((points[:, None] - a) * along).sum(-1) / np.maximum((along * along).sum(-1), 1e-9)
    return np.linalg.norm(points[:, None] - a - np.clip(t, 0, 1)[..., None] * along, axis=-1)


def crossing(near_m: float, far_m: float, speed: float) -> Scene:
    """Two people walk past each other, at two distances."""
    reach = 0.35 * far_m + 0.5
    duration = 2 * reach / speed
    near = Walker(lambda t: (-reach * near_m / far_m + speed * t * near_m / far_m, near_m))
    return Scene((near, Walker(lambda t: (reach - speed * t, far_m))), duration)


def passing(speed: float) -> Scene:
    """One person stands, another walks by in front."""
    return Scene((Walker(lambda t: (-1.5 + speed * t, 3.0)), Walker(lambda t: (0.0, 4.0))), 3 / speed)


def turning_back(speed: float) -> Scene:
    """Two people walk towards each other, one in front of the other, and turn round where they meet."""
    return Scene(
        (
            Walker(lambda t: (-abs(1.5 - speed * t) - 0.1, 3.5)),
            Walker(lambda t: (abs(1.5 - speed * t) + 0.1, 4.2)),
        ),
        3 / speed,
    )


def pillar(hidden_s: float, speed: float, turn: float = 0.0) -> Scene:
    """One person walks behind a pillar, another one stands."""
    walker = Walker(lambda t: (-1.5 + speed * t, 4.0), (1.0, 1.0 + hidden_s))
    return Scene((walker, Walker(lambda t: (1.6, 4.5))), 3.0, turn)


def queue(speed: float) -> Scene:
    """Three people walk in a file, another comes the other way behind them."""

    def follower(k: int) -> Walker:
        return Walker(lambda t: (-2.0 - 0.9 * k + speed * t, 4.0 + 0.1 * k))

    return Scene((follower(0), follower(1), follower(2), Walker(lambda t: (2.0 - speed * t, 5.0))), 5 / speed)


def scenes() -> Iterator[tuple[str, Scene]]:
    """Every scene, by name."""
    for speed in (0.7, 1.2, 2.0):
        yield "cross, 3 m and 4.5 m away", crossing(3.0, 4.5, speed)
        yield "cross, 3 m and 3.6 m away", crossing(3.0, 3.6, speed)
        yield "cross, 6 m and 6.5 m away", crossing(6.0, 6.5, speed)
        yield "stand while another walks by", passing(speed)
        yield "meet and turn back", turning_back(speed)
        yield "walk in file, one comes towards", queue(speed)
        for hidden_s in (0.5, 0.8):
            yield f"hidden for {hidden_s} s", pillar(hidden_s, speed)
            yield f"hidden for {hidden_s} s, camera turns 20°/s", pillar(hidden_s, speed, np.radians(20))
