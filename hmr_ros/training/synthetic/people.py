# SPDX-License-Identifier: Apache-2.0
"""Synthetic people in front of synthetic cameras: exact bodies, cameras and keypoints, with no image in between.

The sampler is a function of a numpy Generator: the same seed gives the same people.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.random import Generator

from hmr_ros.core.arrays import Bools, Float32s, Float64s, Floats, Int64s, Ints
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.records import Record, join_rows
from hmr_ros.core.settings import setting
from hmr_ros.core.skeleton import JOINT_SETS
from hmr_ros.networks.body_model import TorchBodyModel
from hmr_ros.training.datasets.motion import Motion
from hmr_ros.training.synthetic.bounds import bounds
from hmr_ros.training.synthetic.cameras import CameraMix, Views, sample_views
from hmr_ros.training.synthetic.poses import PoseMix, PoseSource, real_poses
from hmr_ros.training.synthetic.visibility import OcclusionMix, sample_occlusion

_SPARE, _LEAST_DRAWN = 1.3, 8
"""People drawn per person wanted, as some cannot be seen; and the minimum that is drawn at once."""


@dataclass(frozen=True)
class ShapeMix:
    """Random shapes. The open body's first component is size: 0.23 m of stature per unit, a child of 1 m at -3.3."""

    children: float = setting(0.1, doc="fraction of children, 1 m and taller", low=0, high=1)
    adult_size: float = setting(0.4, doc="standard deviation of beta 0 of adults", low=0, high=2)
    others: float = setting(1.0, doc="standard deviation of the other betas", low=0, high=2)


@dataclass(frozen=True)
class PeopleMix:
    """Everything that is random about the people and their cameras."""

    poses: PoseMix = field(default_factory=PoseMix)
    shapes: ShapeMix = field(default_factory=ShapeMix)
    cameras: CameraMix = field(default_factory=CameraMix)
    occlusion: OcclusionMix = field(default_factory=OcclusionMix)
    airborne: float = setting(0.1, doc="fraction of people whose lowest point is above the floor", low=0, high=1)
    min_visible: int = setting(6, doc="people with fewer visible keypoints are drawn again", low=1)
    airborne_height: float = setting(0.5, doc="largest height above the floor, m", low=0, high=3)


def evaluated_people(mix: PeopleMix) -> PeopleMix:
    """``mix`` with poses as they were recorded and no group of keypoints lost, for validation and evaluation."""
    occlusion = dataclasses.replace(mix.occlusion, group=0.0)
    return dataclasses.replace(mix, poses=real_poses(mix.poses), occlusion=occlusion)


@dataclass(frozen=True, eq=False)
class PeopleBatch(Record):
    """B people, each in front of a camera of their own; metres, the camera's optical frame.

    ``vertices`` (B, S, 3) of the sampler's vertex ids; ``joints`` (B, 24, 3); ``rotations`` (B, 24, 3, 3): the root
    to optical, the others child to parent; ``betas`` (B, 10); ``pixels`` (B, J, 2) true keypoints; ``in_image``
    (B, J) those that lie in it; ``visible`` (B, J) those that no occluder hides either; ``views`` the cameras (their
    rotation and translation are from the world); ``kind`` (B,) PoseKind; ``clip`` (B,) the motion clip
    each pose began as.
    """

    vertices: Float32s
    joints: Float32s
    rotations: Floats
    betas: Float64s
    pixels: Float64s
    in_image: Bools
    visible: Bools
    views: Views
    kind: Int64s
    clip: Int64s

    @property
    def K(self) -> Float64s:  # noqa: N802
        """(B, 3, 3) px of the cameras."""
        return self.views.K

    @property
    def image_size(self) -> Int64s:
        """(B, 2) px, width and height of the images."""
        return self.views.image_size

    @property
    def known(self) -> Bools:
        """(B,) people of whom pose and shape are known: of synthetic ones all."""
        return np.ones(len(self), np.bool_)


def sample_betas(mix: ShapeMix, rng: Generator, count: int) -> Float64s:
    """(B, 10): adults, and a fraction of children down to about 1 m."""
    betas = rng.normal(0, mix.others, (count, 10)).clip(-2.5, 2.5)
    adult = rng.random(count) >= mix.children
    betas[:, 0] = np.where(adult, rng.normal(0, mix.adult_size, count), rng.uniform(-3.5, -0.8, count))
    return betas


@dataclass(frozen=True, eq=False)
class VertexSubset:
    """Vertices ``ids`` (S,), and ``regressor`` (J, S): the keypoints as sums over them."""

    ids: Ints
    regressor: Floats


class PeopleSampler:
    """Draws ``PeopleBatch``es from a motion file and a body model."""

    def __init__(
        self,
        motion: Motion,
        body: BodyModel,
        joint_set: str,
        mix: PeopleMix,
        vertices: VertexSubset | None = None,
    ) -> None:
        """``vertices``: those wanted in the batches (None: all); fewer are cheaper."""
        self.joint_set = JOINT_SETS[joint_set]
        self.mix = mix
        self._poses = PoseSource(motion, mix.poses)
        wanted = vertices or VertexSubset(np.arange(body.vertex_count), body.regressor(joint_set))
        self._body = TorchBodyModel(body, wanted.ids)
        self.regressor = wanted.regressor.astype(np.float32)

    def sample(self, rng: Generator, count: int) -> PeopleBatch:
        """``count`` people of whom enough keypoints can be seen."""
        batches: list[PeopleBatch] = []
        kept: list[Int64s] = []
        missing = count
        while missing:
            batches.append(self._draw(rng, max(_LEAST_DRAWN, int(_SPARE * missing))))
            kept.append(np.flatnonzero(batches[-1].visible.sum(1) >= self.mix.min_visible)[:missing])
            missing -= len(kept[-1])
        return _join(batches, kept)

    @torch.no_grad()
    def _draw(self, rng: Generator, count: int) -> PeopleBatch:
        pose, kind, clip = self._poses.sample(rng, count)
        betas = sample_betas(self.mix.shapes, rng, count)
        rotations = rotvec_to_rotmat(pose.astype(np.float64))
        local = torch.from_numpy(rotations.astype(np.float32))
        posed = self._body.posed(local[:, 0], local[:, 1:], torch.from_numpy(betas.astype(np.float32)))
        vertices, joints = posed.vertices.numpy(), posed.joints.numpy()

        lift = np.where(rng.random(count) < self.mix.airborne, rng.uniform(0, self.mix.airborne_height, count), 0)
        pelvis = np.zeros((count, 1, 3), np.float32)
        pelvis[:, 0, 1] = lift - vertices[..., 1].min(1)
        vertices, joints = vertices + pelvis, joints + pelvis
        low, high = bounds(vertices)
        views = sample_views(self.mix.cameras, (low + high) / 2, (high - low).max(1), rng)

        vertices, joints = views.to_optical(vertices), views.to_optical(joints)
        keypoints = np.asarray(self.regressor @ vertices, np.float64)
        pixels = views.to_pixels(keypoints)
        in_image = views.inside(pixels) & (keypoints[..., 2] > 0.2)
        rotations[:, 0] = views.rotation @ rotations[:, 0]
        visible = in_image & sample_occlusion(pixels, self.joint_set, self.mix.occlusion, rng)
        return PeopleBatch(vertices, joints, rotations, betas, pixels, in_image, visible, views, kind, clip)


def _join(batches: list[PeopleBatch], rows: list[Int64s]) -> PeopleBatch:
    """The chosen rows of every batch, one after another.

    ``rows`` one (n,) of row numbers per batch.
    """
    return join_rows([batch.take(kept) for batch, kept in zip(batches, rows, strict=True)])
