# SPDX-License-Identifier: Apache-2.0
"""The records of an evaluation: what a method gets, the ground truth, and what the method predicts."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from hmr_ros.core.arrays import Bools, Float32s, Float64s, Floats, Image, Int64s
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.config import PerceptionSettings
from hmr_ros.core.geometry.crop_view import CropView
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec
from hmr_ros.core.geometry.torso import quarter_turns
from hmr_ros.core.people import Estimates
from hmr_ros.core.skeleton import JOINT_SETS
from hmr_ros.training.synthetic.images import ImageBatch
from hmr_ros.training.synthetic.keypoints import KeypointMix, observe
from hmr_ros.training.synthetic.people import PeopleBatch
from hmr_ros.training.synthetic.subjects import Subjects, turned_crops

SyntheticPeople = PeopleBatch | ImageBatch


@dataclass(frozen=True, eq=False)
class Shown:
    """The inputs of a network that reads images of B people.

    ``image`` (B, 256, 192, 3) uint8 RGB: their crops; ``keypoints`` (B, J, 3) x, y in crop units and score, zeros where
    missing; ``view`` of the crops; ``anchors`` (B, 24, 2) crop units where the joints truly are, if that is known.
    """

    image: Image
    keypoints: Float32s
    view: CropView
    anchors: Float32s | None = None


@dataclass(frozen=True, eq=False)
class Case:
    """B people to estimate, and the ground truth: m, optical frame.

    ``normalized`` (B, J, 2) x/z, y/z of the observed keypoints of ``joint_set`` and ``score`` (B, J); ``vertices`` (B,
    V, 3); ``joints`` (B, 24, 3); ``human36m`` (B, 17, 3); ``in_image`` (B, J) keypoints within the
    image, hidden ones included; ``height`` (B,) of the person's box over the focal length; ``shown`` where there is an
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

    def without(self, missing: Bools) -> Case:
        """The same people, of whom nobody has the keypoints ``missing`` (J,)."""
        shown = self.shown
        if shown is not None:
            shown = dataclasses.replace(shown, keypoints=np.where(missing[:, None], np.float32(0), shown.keypoints))
        return dataclasses.replace(self, score=np.where(missing, 0, self.score), shown=shown)


@dataclass(frozen=True, eq=False)
class Prediction:
    """A method's estimate of B people.

    ``output`` names the stage or method; ``vertices`` (B, V, 3) and ``joints`` (B, 24, 3) m in optical axes, with any
    translation; ``root`` (B, 3) m, the position of the pelvis joint, NaN where unknown; ``expected_error`` (B, 24) m of
    the joints, NaN where unknown; ``misfit`` (B,) of keypoints and body (core/uncertainty.py), None: unknown.
    """

    output: str
    vertices: Floats
    joints: Floats
    root: Floats
    expected_error: Floats
    misfit: Floats | None = None

    def as_published(self, output: str, placed: Estimates, body: BodyModel, misfit: Floats | None = None) -> Prediction:
        """The prediction with the bodies ``placed`` that the robot would publish, where it would publish one."""
        known = placed.take(placed.valid)
        posed = body.posed(known.global_orient, known.body_pose, known.betas, np.zeros_like(known.cam_t))
        vertices, joints = self.vertices.copy(), self.joints.copy()
        vertices[placed.valid], joints[placed.valid] = posed.vertices, posed.joints
        return Prediction(output, vertices, joints, placed.cam_t, self.expected_error, misfit)


def observed(
    people: SyntheticPeople,
    joint_set: str,
    source: KeypointMix | None,
    body: BodyModel,
    rng: Generator,
    *,
    turned: bool = True,
) -> Case:
    """Synthetic ``people`` with keypoints observed as ``source`` says; None: without keypoints.

    People without images must have all vertices of ``body``. ``turned``: those who lie, by these keypoints, are shown
    upright.
    """
    images = people if isinstance(people, ImageBatch) else None
    subjects = Subjects.of_images(people) if isinstance(people, ImageBatch) else Subjects.of_people(people)
    vertices = _vertices(people, body) if isinstance(people, ImageBatch) else people.vertices
    pixels, score = _keypoints(subjects, joint_set, source, rng)
    told = score if turned else np.zeros_like(score)
    turns = quarter_turns(pixels, told, JOINT_SETS[joint_set], PerceptionSettings().keypoint_threshold)
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
        None if images is None else _shown(images, subjects, turns, pixels, score),
    )


def _keypoints(
    subjects: Subjects, joint_set: str, source: KeypointMix | None, rng: Generator
) -> tuple[Float64s, Float64s]:
    """Observed keypoints (B, J, 2) px and scores (B, J)."""
    if source is None:
        return np.zeros(subjects.pixels.shape), np.zeros(subjects.visible.shape)
    seen = observe(subjects, JOINT_SETS[joint_set], source, rng)
    return seen.pixels, seen.score


def _vertices(images: ImageBatch, body: BodyModel) -> Floats:
    """(B, V, 3) m: vertices of the people in images, from their SMPL parameters."""
    pose = rotmat_to_rotvec(images.rotations)
    return body.posed(pose[:, 0], pose[:, 1:], images.betas, images.joints[:, 0]).vertices


def _shown(images: ImageBatch, subjects: Subjects, turns: Int64s, pixels: Floats, score: Floats) -> Shown:
    """Crops as the robot cuts them, turned by ``turns`` (B,) quarters."""
    view, crops = turned_crops(images, subjects, turns)
    positions = np.concatenate([view.to_crop_units(pixels), score[..., None]], -1)
    keypoints = np.where(score[..., None] > 0, positions, 0).astype(np.float32)
    anchors = view.to_crop_units(subjects.joint_pixels()).astype(np.float32)
    return Shown(crops, keypoints, view, anchors)
