# SPDX-License-Identifier: Apache-2.0
"""Draws people of a data set: what ``training/synthetic/people.py`` is for synthetic people."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.random import Generator

from hmr_ros.core.arrays import Bools, Float64s, Floats
from hmr_ros.core.body.body_model import BETAS, BodyModel
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.skeleton import HUMAN36M, JOINT_SETS, JointSet, convert_keypoints
from hmr_ros.networks.body_model import TorchBodyModel
from hmr_ros.training.datasets.annotated import AnnotatedPeople
from hmr_ros.training.real.labels import LabelledPeople
from hmr_ros.training.synthetic.cameras import Views
from hmr_ros.training.synthetic.people import VertexSubset

KeypointRule = Callable[[AnnotatedPeople, JointSet, Floats], tuple[Floats, Bools]]
"""People, a joint set, and its joints projected from the fits (B, J, 2) px -> keypoints to observe, and which count."""


def mesh_keypoints(people: AnnotatedPeople, joint_set: JointSet, projected: Floats) -> tuple[Floats, Bools]:
    """Keypoints of the fits, as Pose2Mesh trains; where Human3.6M's own joints are wanted and measured, those."""
    if joint_set is HUMAN36M and people.joint_set == HUMAN36M.name:
        return people.kp2d, np.ones(people.kp2d.shape[:2], np.bool_)
    return projected, np.repeat(people.fitted[:, None], joint_set.size, 1)


def annotated_keypoints(people: AnnotatedPeople, joint_set: JointSet, projected: Floats) -> tuple[Floats, Bools]:
    """Annotated keypoints, as images are trained with; those of the fit stand in for joints that are not annotated."""
    kp2d, score = convert_keypoints(people.kp2d, people.kp2d_score, JOINT_SETS[people.joint_set], joint_set)
    known = score > 0
    named = np.array([joint in JOINT_SETS[people.joint_set].joints for joint in joint_set.joints])
    fallback = people.fitted[:, None] & (~named | ~known.any(1, keepdims=True))
    return np.where(known[..., None], kp2d, projected), known | fallback


class AnnotatedSampler:
    """Draws ``LabelledPeople`` from ``people``, all of whom have boxes, cameras, positions and neutral shapes."""

    def __init__(
        self,
        people: AnnotatedPeople,
        body: BodyModel,
        joint_set: JointSet,
        rule: KeypointRule,
        vertices: VertexSubset | None = None,
    ) -> None:
        """``vertices``: those wanted in the batches (None: all)."""
        wanted = vertices or VertexSubset(np.arange(body.vertex_count), body.regressor(joint_set.name))
        self._people, self._joint_set, self._rule = people, joint_set, rule
        self._body = TorchBodyModel(body, wanted.ids)
        self.regressor = wanted.regressor.astype(np.float32)

    def sample(self, rng: Generator, count: int) -> LabelledPeople:
        """``count`` people, each as likely as any other."""
        return self.labels(self._people.take(rng.integers(len(self._people), size=count)))

    @torch.no_grad()
    def labels(self, people: AnnotatedPeople) -> LabelledPeople:
        """The labels of ``people``."""
        fitted = people.fitted
        pose = np.where(fitted[:, None, None], people.pose, 0)
        betas = np.where(fitted[:, None], people.betas, 0).astype(np.float64)[:, :BETAS]
        rotations = rotvec_to_rotmat(pose.astype(np.float64))
        local = torch.from_numpy(rotations.astype(np.float32))
        posed = self._body.posed(local[:, 0], local[:, 1:], torch.from_numpy(betas.astype(np.float32)))
        position = people.cam_t[:, None].astype(np.float32)
        vertices, joints = posed.vertices.numpy() + position, posed.joints.numpy() + position
        views = views_of(people)
        points = self.regressor @ vertices
        pixels, known = self._rule(people, self._joint_set, views.to_pixels(points.astype(np.float64)))
        targets, jointed = self._targets(people, points)
        in_image = views.inside(pixels.astype(np.float64))
        nothing = np.zeros(len(people), np.int64)
        return LabelledPeople(
            vertices, joints, rotations, betas, pixels.astype(np.float64), in_image, in_image & known, views, nothing,
            nothing, targets, jointed, fitted,
        )  # fmt: skip

    def _targets(self, people: AnnotatedPeople, points: Floats) -> tuple[Floats, Bools]:
        """Joints (B, J, 3) m and whether they are known (B,): measured ones, else those of the fit."""
        if self._joint_set is not HUMAN36M:
            return points, people.fitted
        measured = people.measured
        targets = np.where(measured[:, None, None], people.human36m, points).astype(np.float32)
        return targets, measured | people.fitted


def views_of(people: AnnotatedPeople) -> Views:
    """Their cameras, in whose frames they are. An image of unknown size ends beyond them."""
    count = len(people)
    known = np.isfinite(people.image_size).all(1, keepdims=True)
    size = np.where(known, people.image_size, np.ceil(2 * people.box[:, 2:].clip(1)))
    eye: Float64s = np.tile(np.eye(3), (count, 1, 1))
    return Views(eye, np.zeros((count, 3)), people.K.astype(np.float64), size.astype(np.int64))
