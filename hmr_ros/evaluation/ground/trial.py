# SPDX-License-Identifier: Apache-2.0
"""People placed on grounds that are true, wrong, estimated or unknown, by what the robot runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator, default_rng

from hmr_ros.core.arrays import Bools, Floats, Ints, Strings
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.config import PerceptionSettings, SmoothingConfig
from hmr_ros.core.fitting.ground import Soles
from hmr_ros.core.geometry.ground import Ground
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.people import Estimates
from hmr_ros.core.records import Record, join_rows
from hmr_ros.core.temporal.ground_estimate import GroundEstimator
from hmr_ros.core.temporal.sizing import Evidence, Sizing
from hmr_ros.core.temporal.smoothing import BodySmoother
from hmr_ros.evaluation.ground.scenes import RATE_HZ, View, Walk, sample_view, sample_walk
from hmr_ros.perception.body_estimator import BodyEstimator
from hmr_ros.perception.keypoints import feet_seen
from hmr_ros.training.datasets.motion import Motion

PEOPLE = 4
"""People before each camera, half of them children."""

ESTIMATED = "estimated"
"""The ground that is estimated from all people of the camera."""

_NO_IMAGE = np.zeros((0, 0, 3), np.uint8)
_THRESHOLD = PerceptionSettings().keypoint_threshold


def _tilted(ground: Ground, degrees: float, rng: Generator) -> Ground:
    """``ground``, tilted about a random horizontal axis."""
    axis = np.cross(ground.up, rng.normal(size=3))
    turn = rotvec_to_rotmat(np.deg2rad(degrees) * axis / np.linalg.norm(axis))
    return dataclasses.replace(ground, up=turn @ ground.up)


def _raised(ground: Ground, metres: float) -> Ground:
    """``ground``, nearer to the camera."""
    return dataclasses.replace(ground, height_m=ground.height_m - metres)


GROUNDS: Mapping[str, Callable[[Ground, Generator], Ground | None]] = {
    "none": lambda ground, rng: None,
    "true": lambda ground, rng: ground,
    ESTIMATED: lambda ground, rng: None,
    "tilted by 0.3 deg": lambda ground, rng: _tilted(ground, 0.3, rng),
    "tilted by 5 deg": lambda ground, rng: _tilted(ground, 5, rng),
    "tilted by 5 deg, stated": lambda ground, rng: Ground.stated(
        _tilted(ground, 5, rng).up, ground.height_m, 0.02, 0.0873
    ),
    "10 cm too high": lambda ground, rng: _raised(ground, 0.1),
    "10 cm too high, stated": lambda ground, rng: Ground.stated(ground.up, ground.height_m - 0.1, 0.1, 0.005),
}
"""Kinds of grounds that people are placed on. They state 1 cm and 0.3 degrees, but for those that say otherwise."""


@dataclass(frozen=True, eq=False)
class Outcomes(Record):
    """N people in images, as they were placed.

    ``distance`` and ``stature``: estimate over truth, minus 1; ``lowest_m``: of their soles above the true floor;
    ``mahalanobis`` distance of the true root; ``touching`` (N,) the floor in truth; ``feet``: a foot is in view;
    ``grounded``: placed by the ground; ``camera_m`` above the floor; ``time_s`` since the person came; ``person`` (N,)
    their number; ``child`` (N,); ``category`` (N,) of their motion.
    """

    distance: Floats
    stature: Floats
    lowest_m: Floats
    mahalanobis: Floats
    touching: Bools
    feet: Bools
    grounded: Bools
    camera_m: Floats
    time_s: Floats
    person: Ints
    child: Bools
    category: Strings


@dataclass(frozen=True, eq=False)
class _Crowd:
    """The people of one camera with the ``estimates`` of each walk, which are the same for all grounds."""

    view: View
    walks: Sequence[Walk]
    children: Sequence[bool]
    estimates: Sequence[Estimates]
    feet: Sequence[Bools]


class Trial:
    """Places people by one method, as the pipeline does; smoothing over time is off but for the shape."""

    def __init__(self, estimator: BodyEstimator, body: BodyModel) -> None:
        self._estimator = estimator
        self._body = body
        self._soles = Soles.of(body)

    def __call__(self, motion: Motion, cameras: int, seed: int) -> Iterator[Mapping[str, Outcomes]]:
        """The outcomes of the people of each camera, by ground."""
        for camera in range(cameras):
            crowd = self._crowd(motion, default_rng((seed, camera)))
            yield {name: self._outcomes(crowd, name, default_rng((seed, camera, 1)), camera) for name in GROUNDS}

    def _crowd(self, motion: Motion, rng: Generator) -> _Crowd:
        view, children = sample_view(rng), [number % 2 == 1 for number in range(PEOPLE)]
        walks = [sample_walk(motion, self._body, view, child, rng) for child in children]
        estimates = [self._estimator.estimate(_NO_IMAGE, walk.detections, view.camera) for walk in walks]
        feet = [feet_seen(walk.detections, view.camera, _THRESHOLD) for walk in walks]
        return _Crowd(view, walks, children, estimates, feet)

    def _outcomes(self, crowd: _Crowd, name: str, rng: Generator, camera: int) -> Outcomes:
        ground = GROUNDS[name](crowd.view.ground, rng)
        sizing, smoother = Sizing(self._body), BodySmoother(self._body, SmoothingConfig(min_cutoff=0))
        estimator, ids, parts = GroundEstimator(self._body), np.arange(len(crowd.walks)), []
        for image in range(len(crowd.walks[0].joints)):
            one = slice(image, image + 1)
            people, feet = join_rows([e.take(one) for e in crowd.estimates]), np.stack([f[image] for f in crowd.feet])
            if name == ESTIMATED:
                ground = estimator(ids, people, feet, image / RATE_HZ)
            evidence = Evidence(image / RATE_HZ, None, ground)
            measured = sizing(ids, people, crowd.view.camera, feet, evidence)
            smoothed = smoother(ids, measured.estimates, image / RATE_HZ, measured.sized)
            placed = sizing.settled(sizing.resized(ids, smoothed), measured.by_ground, feet, ground)
            parts.append(self._compared(crowd, placed, measured.by_ground, image, camera))
        return join_rows(parts)

    def _compared(self, crowd: _Crowd, placed: Estimates, grounded: Bools, image: int, camera: int) -> Outcomes:
        """The people of one image against the truth, those who have a position."""
        walks, view, count = crowd.walks, crowd.view, len(crowd.walks)
        truth = np.stack([walk.joints[image, 0] for walk in walks])
        soles = self._soles(placed).reshape(count, -1, 3) + placed.cam_t[:, None]
        heights = self._body.v_template[:, 1] + placed.betas @ self._body.shapedirs[:, 1].T
        error = placed.cam_t - truth
        feet = np.array([feet[image].any() for feet in crowd.feet])
        outcomes = Outcomes(
            distance=np.linalg.norm(placed.cam_t, axis=1) / np.linalg.norm(truth, axis=1) - 1,
            stature=np.ptp(heights, axis=1) / [walk.stature_m for walk in walks] - 1,
            lowest_m=view.ground.elevation(soles).min(1),
            mahalanobis=_mahalanobis(error, placed.root_covariance),
            touching=np.array([walk.touching[image] for walk in walks]),
            feet=feet,
            grounded=grounded,
            camera_m=np.full(count, view.ground.height_m),
            time_s=np.full(count, image / RATE_HZ),
            person=np.arange(count) + camera * count,
            child=np.array(crowd.children),
            category=np.array([walk.category for walk in walks]),
        )
        return outcomes.take(placed.valid)


def _mahalanobis(error: Floats, covariance: Floats) -> Floats:
    """(P, 3) m and (P, 3, 3) m^2 -> (P,), NaN where nothing is known."""
    known = np.isfinite(covariance).all((1, 2)) & np.isfinite(error).all(1)
    out = np.full(len(error), np.nan)
    out[known] = np.sqrt((error[known] * np.linalg.solve(covariance[known], error[known][..., None])[..., 0]).sum(1))
    return out
