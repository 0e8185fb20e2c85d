# SPDX-License-Identifier: Apache-2.0
"""Still cameras with people who move on a floor: motion capture on random bodies, keypoints with detector errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from hmr_ros.core.arrays import Bools, Float64s, Floats, Ints
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.geometry.frames import Transform
from hmr_ros.core.geometry.ground import Ground
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.people import Camera, Detections
from hmr_ros.core.skeleton import JOINT_SETS
from hmr_ros.training.datasets.motion import Motion
from hmr_ros.training.synthetic.keypoints import with_error
from hmr_ros.training.synthetic.people import ShapeMix, sample_betas

RATE_HZ, SECONDS = 10.0, 3.0

JOINT_SET = "coco_feet"
NOISE = "human36m"
"""Error model of the keypoints; errors of different images are independent."""

STATED_HEIGHT_M, STATED_TILT_RAD = 0.01, float(np.deg2rad(0.3))
"""Standard deviations that the grounds state."""

_HEIGHTS_M, _DISTANCES_M = (0.3, 2.0), (2.0, 8.0)
_AIMED_M = 4.0
"""Cameras look at the middle of a person so far away, so that the feet of near people may be out of view."""

_PITCH_RAD, _ROLL_RAD = 0.08, 0.05
_FOCALS = (0.6, 1.1)
_SIZE = (1280, 720)
_TOUCHING_M = 0.05
"""A foot so near to the floor of a clip stands on it: retargeted feet sink in and float by as much."""

_FLOOR_PERCENTILE = 25
_NEAREST_M = 0.3
_LEVEL = np.diag([-1.0, -1.0, 1.0])
"""World (y up) to a level camera that looks along the world's z."""


@dataclass(frozen=True, eq=False)
class View:
    """A ``camera`` with its ``rotation`` (3, 3) from the world, y up, and its position ``eye`` (3,) m; ``ground``."""

    camera: Camera
    rotation: Floats
    eye: Floats
    ground: Ground

    def to_optical(self, points: Floats) -> Floats:
        """(..., 3) m, world -> optical frame."""
        return np.asarray((points - self.eye) @ self.rotation.T)


@dataclass(frozen=True, eq=False)
class Walk:
    """A person over T images: ``detections`` and the ground truth in the optical frame.

    ``joints`` (T, 24, 3) m; ``touching`` (T,): whether the lowest point is on the floor; ``stature_m``; ``category`` of
    the motion.
    """

    detections: Detections
    joints: Floats
    touching: Bools
    stature_m: float
    category: str


def sample_view(rng: Generator) -> View:
    """A camera as robots and rooms have them, above a floor at height 0."""
    height, (width, rows) = rng.uniform(*_HEIGHTS_M), _SIZE
    pitch = np.arctan2(height - 0.9, _AIMED_M) + rng.uniform(-_PITCH_RAD, _PITCH_RAD)
    rotation = _about(2, rng.uniform(-_ROLL_RAD, _ROLL_RAD)) @ _about(0, pitch) @ _LEVEL
    camera = Camera.pinhole(rng.uniform(*_FOCALS) * np.hypot(width, rows), width, rows)
    upright = np.array([[1.0, 0, 0], [0, 0, 1], [0, 1, 0]])  # the world's y is a ground frame's z
    to_frame = Transform(upright @ rotation.T, upright @ np.array([0, height, 0]))
    ground = Ground.of_frame(to_frame, STATED_HEIGHT_M, STATED_TILT_RAD)
    return View(camera, rotation, np.array([0, height, 0]), ground)


def sample_walk(
    motion: Motion,
    body: BodyModel,
    view: View,
    child: bool,
    rng: Generator,
    rate_hz: float = RATE_HZ,
    seconds: float | None = None,
) -> Walk:
    """A random person who moves as in a random clip, somewhere before the camera; ``seconds``: None for SECONDS."""
    clip, frames = _clip(motion, rng, rate_hz, SECONDS if seconds is None else seconds)
    betas = sample_betas(ShapeMix(children=float(child)), rng, 1)
    rest = body.rest_joints(betas)[0]
    leg = float(np.linalg.norm(rest[1] - rest[4]) + np.linalg.norm(rest[4] - rest[7]))
    scale = leg / float(motion.clip_leg[clip]) if np.isfinite(motion.clip_leg[clip]) else 1.0
    distance = rng.uniform(*_DISTANCES_M)
    aside = 0.7 * rng.uniform(-0.5, 0.5) * view.camera.width / view.camera.K[0, 0] * distance
    heading, pose = _about(1, rng.uniform(-np.pi, np.pi)), motion.pose[frames].astype(np.float64)
    path = scale * motion.trans[frames].astype(np.float64)
    path = (path - path.mean(0) * [1, 0, 1]) @ heading.T + [aside, 0, distance]
    orient = rotmat_to_rotvec(heading @ rotvec_to_rotmat(pose[:, 0]))
    posed = body.posed(orient, pose[:, 1:], np.repeat(betas, len(frames), 0), path)
    lowest = posed.vertices[..., 1].min(1).astype(np.float64)
    lift, touching = _on_the_floor(lowest)
    vertices, joints = (x + lift[:, None, None] * [0.0, 1, 0] for x in (posed.vertices, posed.joints))
    keypoints = view.to_optical(body.regressor(JOINT_SET) @ vertices)
    stature = float(np.ptp((body.v_template + body.shapedirs @ betas[0])[:, 1]))
    detections = _detections(keypoints, view.camera, rng)
    return Walk(detections, view.to_optical(joints), touching, stature, str(motion.clip_category[clip]))


def _clip(motion: Motion, rng: Generator, rate_hz: float, seconds: float) -> tuple[int, Ints]:
    """A clip that is long enough, and the frames (T,) of a part of it."""
    clips, counts = np.unique(motion.clip, return_counts=True)
    needed = round(seconds * motion.fps)
    if not (counts >= needed).any():
        raise ValueError(f"motion: expected a clip of {seconds:g} s, the longest has {counts.max() / motion.fps:.1f} s")
    clip = int(rng.choice(clips[counts >= needed]))
    frames = np.flatnonzero(motion.clip == clip)
    first = int(rng.integers(0, len(frames) - needed + 1))
    return clip, frames[first : first + needed : round(motion.fps / rate_hz)]


def _on_the_floor(lowest: Float64s) -> tuple[Float64s, Bools]:
    """Heights (T,) m of a person's lowest points -> how far to lift each pose, and whether it then touches the floor.

    Clips have no exact floor: what is near to the usual lowest height stands on it, and jumps remain jumps.
    """
    floor = np.percentile(lowest, _FLOOR_PERCENTILE)
    near = np.abs(lowest - floor) < _TOUCHING_M
    lift = np.maximum(np.where(near, -lowest, -floor), -lowest)
    return lift, np.asarray(lowest + lift < 1e-6)


def _detections(keypoints: Floats, camera: Camera, rng: Generator) -> Detections:
    """What a detector makes of ``keypoints`` (T, J, 3) m: errors, and nothing outside of the image."""
    pixels = keypoints[..., :2] / np.maximum(keypoints[..., 2:], 0.05) * camera.K[0, 0] + camera.K[:2, 2]
    seen = ((pixels >= 0) & (pixels < [camera.width, camera.height])).all(-1) & (keypoints[..., 2] > _NEAREST_M)
    mean = (pixels * seen[..., None]).sum(1, keepdims=True) / np.maximum(seen.sum(1), 1)[:, None, None]
    any_seen = (seen.sum(1) > 1)[:, None, None]  # errors follow the size of what is seen
    pixels = np.where(seen[..., None] | ~any_seen, pixels, mean)
    noisy = with_error(pixels, JOINT_SETS[JOINT_SET], NOISE, rng, np.ones(len(pixels)))
    boxes = np.concatenate([noisy.min(1), noisy.max(1)], 1)
    count = len(noisy)
    return Detections(boxes, np.ones(count), noisy, seen.astype(np.float64), JOINT_SET, np.zeros(count, np.int64))


def _about(axis: int, angle: float) -> Floats:
    """(3, 3) rotation about a coordinate axis."""
    return rotvec_to_rotmat(angle * np.eye(3)[axis])
