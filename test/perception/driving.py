# SPDX-License-Identifier: Apache-2.0
"""A robot's camera that turns and drives past people, with exact truth: the pipeline with a simulated detector and
estimator.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.config import PerceptionSettings
from hmr_ros.core.geometry.camera import project
from hmr_ros.core.geometry.frames import Transform
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.people import UNTRACKED, Camera, Detections, Estimates
from hmr_ros.core.skeleton import SMPL
from hmr_ros.core.temporal.shedding import Shed
from hmr_ros.core.temporal.smoothing import BodySmoother
from hmr_ros.perception.body_estimator import BodyEstimator
from hmr_ros.perception.detector import Detector
from hmr_ros.perception.pipeline import Pipeline, Result
from hmr_ros.perception.tracker import Tracker

BODY_MODEL = load_body_model(models_dir() / "open_body.npz")
CAMERA = Camera(np.array([[600.0, 0, 640], [0, 600, 360], [0, 0, 1]]), 1280, 720)
IMAGE = np.zeros((720, 1280, 3), np.uint8)
_UPRIGHT = np.diag([1.0, -1.0, -1.0])
"""Body to a world with y down: upright, facing the start."""

_BIAS, _ALONG, _ACROSS_M, _PIXELS = 0.03, 0.01, 0.005, 0.01
"""Errors: of a person's distance, always the same; of each image along the line of sight and across; of keypoints, in
heights of the person."""

Place = Callable[[float], tuple[float, float]]
"""s -> x, z m on the floor."""


@dataclass(frozen=True)
class Drive:
    """``people`` and the camera's ``eye`` on the floor; ``yaw`` rad to the right."""

    people: tuple[Place, ...]
    eye: Place
    yaw: Callable[[float], float]

    def pose(self, stamp_s: float) -> Transform:
        """World (x right, y down, z ahead at the start) from optical."""
        x, z = self.eye(stamp_s)
        return Transform(rotvec_to_rotmat(np.array([0, self.yaw(stamp_s), 0])), np.array([x, 0.0, z]))

    def roots(self, stamp_s: float) -> Floats:
        """(P, 3) m of the people in the world."""
        return np.array([(x, 0.2, z) for x, z in (place(stamp_s) for place in self.people)])


@dataclass(frozen=True, eq=False)
class Seen:
    """One image: what the pipeline made of it, and the truth of the ``walkers`` (P,) in its rows, (P, 3) m."""

    stamp_s: float
    result: Result
    pose: Transform
    walkers: Sequence[int]
    truth: Floats

    @property
    def places(self) -> Floats:
        """(P, 3) m in the world."""
        return self.pose(self.result.bodies.cam_t.astype(np.float64))


class _Simulation(Detector, BodyEstimator):
    """Detects and estimates the people of ``drive`` at ``stamp_s``, with errors."""

    method = "simulated"
    calibration = None

    def __init__(self, drive: Drive, rng: np.random.Generator) -> None:
        self.drive, self.stamp_s = drive, 0.0
        self._rng = rng
        self._bias = 1 + _BIAS * rng.normal(size=len(drive.people))
        self.rows: list[int] = []

    def detect(self, image, shed=Shed.NOTHING):
        world = self.drive.pose(self.stamp_s)
        pose = np.zeros((len(self.drive.people), 23, 3))
        orient = np.tile(rotmat_to_rotvec(_UPRIGHT[None]), (len(pose), 1))
        betas = np.zeros((len(pose), 10))
        rest = BODY_MODEL.posed_joints(orient, pose, betas)
        joints = rest - rest[:, :1] + self.drive.roots(self.stamp_s)[:, None]
        points = project(world.inverse()(joints), CAMERA)
        inside = ((points >= 0) & (points < (CAMERA.width, CAMERA.height))).all(-1)
        self.rows = [row for row in range(len(pose)) if inside[row].mean() > 0.5]
        points, inside = points[self.rows], inside[self.rows]
        height = np.ptp(points[..., 1], axis=1)[:, None, None]
        points = points + _PIXELS * height * self._rng.normal(size=points.shape)
        boxes = np.concatenate([points.min(1), points.max(1)], 1)
        count = len(points)
        return Detections(boxes, np.ones(count), points, 0.9 * inside, SMPL.name, np.full(count, UNTRACKED, np.int64))

    def estimate(self, image, detections, camera, shed=Shed.NOTHING):
        world, count = self.drive.pose(self.stamp_s), len(self.rows)
        roots = world.inverse()(self.drive.roots(self.stamp_s)[self.rows])
        distance = self._bias[self.rows] * (1 + _ALONG * self._rng.normal(size=count))
        roots = roots * distance[:, None] + _ACROSS_M * self._rng.normal(size=roots.shape)
        orient = rotmat_to_rotvec(world.rotation.T @ _UPRIGHT)
        zeros = {"body_pose": np.zeros((count, 23, 3)), "betas": np.zeros((count, 10))}
        return dataclasses.replace(
            Estimates.unknown(count),
            global_orient=np.tile(orient, (count, 1)),
            cam_t=roots,
            joint_error=np.full((count, 24), 0.05),
            joint_covariance=np.tile(np.diag([1e-3, 1e-3, 4e-3]), (count, 24, 1, 1)),
            root_covariance=np.tile(np.diag([1e-3, 1e-3, 9e-2]), (count, 1, 1)),
            valid=np.ones(count, np.bool_),
            **zeros,
        )

    def reset(self):
        self.rows = []


class SwitchedError(AssertionError):
    """Two people had the same id."""


World = Callable[[float, Transform], Transform | None]
"""What is known of the camera's pose at a time, s."""


def exact(stamp_s: float, pose: Transform) -> Transform:
    """The pose as it is."""
    return pose


def nothing(stamp_s: float, pose: Transform) -> None:
    """No pose."""


@functools.cache
def drive_past(drive: Drive, rate_hz: float, seconds: float, world: World = exact, seed: int = 0) -> tuple[Seen, ...]:
    """What the pipeline makes of ``drive``."""
    simulation = _Simulation(drive, np.random.default_rng(seed))
    pipeline = Pipeline(simulation, Tracker(), simulation, BodySmoother(BODY_MODEL), BODY_MODEL)
    pipeline.configure(PerceptionSettings())  # all are dressed alike, and of one size
    walkers: dict[int, int] = {}
    images = []
    for stamp_s in np.arange(0, seconds, 1 / rate_hz).tolist():
        simulation.stamp_s, pose = stamp_s, drive.pose(stamp_s)
        result = pipeline(IMAGE, CAMERA, stamp_s, world=world(stamp_s, pose))
        seen = len(simulation.rows)
        for track_id, walker in zip(result.bodies.ids.tolist()[:seen], simulation.rows, strict=True):
            walkers.setdefault(track_id, walker)
            if walkers[track_id] != walker:
                raise SwitchedError(f"{stamp_s:.2f} s: walker {walker} has the id of walker {walkers[track_id]}")
        rows = [walkers[track_id] for track_id in result.bodies.ids.tolist()]
        images.append(Seen(stamp_s, result, pose, rows, drive.roots(stamp_s)[rows]))
    return tuple(images)


PEOPLE: tuple[Place, ...] = (
    lambda t: (0.0, 5.0),
    lambda t: (2.0, 4.0),
    lambda t: (-2.0 + 1.0 * t, 6.0),
    lambda t: (3.0 - 0.8 * t, 4.5 + 0.2 * t),
)
STANDING = (0, 1)
"""Two people stand, two walk."""


def swept(stamp_s: float) -> float:
    """Yaw, rad: from 0.5 s on to and fro by 45 degrees at 90 degrees/s."""
    phase = max(stamp_s - 0.5, 0) / 2
    return float(np.radians(45) * (4 * abs((phase + 0.25) % 1 - 0.5) - 1))


STILL = Drive(PEOPLE, lambda t: (0.0, 0.0), lambda t: 0.0)
DRIVING = Drive(PEOPLE, lambda t: (t - 1.5, 0.0), swept)
