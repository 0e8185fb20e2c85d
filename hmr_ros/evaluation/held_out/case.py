# SPDX-License-Identifier: Apache-2.0
"""What is evaluated: people with what a method is shown of them, what is true of them, and what a method says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from hmr_ros.core.arrays import Bools, Float32s, Float64s, Floats, Image
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.geometry.crop_view import CropView
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec
from hmr_ros.core.people import Estimates
from hmr_ros.core.skeleton import JOINT_SETS
from hmr_ros.training.synthetic.images import ImageBatch
from hmr_ros.training.synthetic.keypoints import KeypointMix, observe
from hmr_ros.training.synthetic.people import PeopleBatch
from hmr_ros.training.synthetic.subjects import Subjects, cut_crops

SyntheticPeople = PeopleBatch | ImageBatch


@dataclass(frozen=True, eq=False)
class Shown:
    """What a network that looks at B people is given.

    ``image`` (B, 256, 192, 3) uint8 RGB: their crops; ``keypoints`` (B, J, 3) x, y in crop units and score, zeros where
    missing; ``view`` of the crops.
    """

    image: Image
    keypoints: Float32s
    view: CropView


@dataclass(frozen=True, eq=False)
class Case:
    """B people to estimate, and the ground truth: m, optical frame.

    ``normalized`` (B, J, 2) x/z, y/z of the observed keypoints of ``joint_set`` and ``score`` (B, J); ``vertices`` (B,
    V, 3); ``joints`` (B, 24, 3); ``human36m`` (B, 17, 3); ``in_image`` (B, J) keypoints that the image shows or would
    show if nothing hid them; ``height`` (B,) of the person's box over the focal length; ``shown`` where there is an
    image.
    """

    joint_set: str
    normalized: Floats
    score: Floats
    vertices: Floats
    joints: Floats
    human36m: Floats
    in_image: Bools
    height: Floats
    shown: Shown | None = None


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a method says of B people.

    ``output`` names which of its answers this is; ``vertices`` (B, V, 3) and ``joints`` (B, 24, 3) m in optical axes,
    at any place; ``root`` (B, 3) m, where the pelvis joint stands, NaN where the method does not know;
    ``expected_error`` (B, 24) m of the joints, NaN where it does not say.
    """

    output: str
    vertices: Floats
    joints: Floats
    root: Floats
    expected_error: Floats

    def as_published(self, output: str, placed: Estimates, body: BodyModel) -> Prediction:
        """The bodies that the robot would publish, ``placed``; these where it would publish none."""
        known = placed.take(placed.valid)
        posed = body.posed(known.global_orient, known.body_pose, known.betas, np.zeros_like(known.cam_t))
        vertices, joints = self.vertices.copy(), self.joints.copy()
        vertices[placed.valid], joints[placed.valid] = posed.vertices, posed.joints
        return Prediction(output, vertices, joints, placed.cam_t, self.expected_error)


def observed(
    people: SyntheticPeople, joint_set: str, source: KeypointMix | None, body: BodyModel, rng: Generator
) -> Case:
    """Synthetic ``people``, their keypoints as ``source`` says; without it nobody tells where any are.

    People without images must come with all vertices, which are those of ``body``.
    """
    pictured = isinstance(people, ImageBatch)
    subjects = Subjects.of_images(people) if pictured else Subjects.of_people(people)
    pixels, score = _keypoints(subjects, joint_set, source, rng)
    vertices = _vertices(people, body) if pictured else people.vertices
    K = subjects.K
    return Case(
        joint_set,
        (pixels - K[:, None, :2, 2]) / K[:, None, [0, 1], [0, 1]],
        score,
        vertices,
        people.joints,
        body.regressor("human36m") @ vertices,
        people.in_image,
        subjects.view.height,
        _shown(people, subjects, pixels, score) if pictured else None,
    )


def _keypoints(
    subjects: Subjects, joint_set: str, source: KeypointMix | None, rng: Generator
) -> tuple[Float64s, Float64s]:
    """(B, J, 2) px and (B, J)."""
    if source is None:
        return np.zeros(subjects.pixels.shape), np.zeros(subjects.visible.shape)
    seen = observe(subjects, JOINT_SETS[joint_set], source, rng)
    return seen.pixels, seen.score


def _vertices(images: ImageBatch, body: BodyModel) -> Floats:
    """(B, V, 3) m of the people in images, who are stored as parameters."""
    pose = rotmat_to_rotvec(images.rotations)
    return body.posed(pose[:, 0], pose[:, 1:], images.betas, images.joints[:, 0]).vertices


def _shown(images: ImageBatch, subjects: Subjects, pixels: Floats, score: Floats) -> Shown:
    places = np.concatenate([subjects.view.to_crop_units(pixels), score[..., None]], -1)
    keypoints = np.where(score[..., None] > 0, places, 0).astype(np.float32)
    return Shown(cut_crops(images, subjects.boxes), keypoints, subjects.view)
