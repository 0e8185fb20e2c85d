# SPDX-License-Identifier: Apache-2.0
"""Evaluation of methods on the annotated people of a licensed data set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.geometry.crop_view import CROP_SHAPE, CropView
from hmr_ros.core.records import join_rows
from hmr_ros.core.skeleton import JOINT_SETS, convert_keypoints
from hmr_ros.evaluation.held_out.case import Case, Shown
from hmr_ros.evaluation.held_out.predictor import Predictor
from hmr_ros.evaluation.held_out.protocol import errors_of
from hmr_ros.evaluation.held_out.report import Row, summarise
from hmr_ros.training.datasets.annotated import AnnotatedPeople
from hmr_ros.training.datasets.cameras import completed, network_boxes
from hmr_ros.training.real.images import ImageDirectory

_BATCH = 250


def evaluate_annotated(
    predictor: Predictor,
    people: AnnotatedPeople,
    body: BodyModel,
    bodies: Mapping[str, BodyModel],
    images: ImageDirectory | None = None,
) -> list[Row]:
    """One row for all ``people``; ``body``: the network's body model; ``bodies``: the ground truth's by gender.

    People without a fit are left out: most errors are those of meshes.
    """
    if not people.fitted.any():
        raise ValueError("no person of these annotations has SMPL parameters; use --protocol for measured joints")
    errors, persons = [], []
    for case, part in cases(people.take(people.fitted), predictor.joint_set, bodies, _BATCH, images):
        found = predictor.predict(case)[-1]
        errors.append(errors_of(found, case, body))
        persons.append(part.person)
    return summarise("annotated", found.output, join_rows(errors), [], np.concatenate(persons))


def cases(
    people: AnnotatedPeople,
    joint_set: str,
    bodies: Mapping[str, BodyModel],
    batch: int,
    images: ImageDirectory | None = None,
) -> Iterator[tuple[Case, AnnotatedPeople]]:
    """Cases of at most ``batch`` people with those people, gender by gender; keypoints are read as ``joint_set``.

    ``bodies``: the true body model by gender; ``images``: where to read the images, for networks that do. Cameras and
    positions that the annotations do not give are assumed as in training/datasets/cameras.py. Vertices and joints of
    people without a fit are NaN. Raises ValueError where a body model is missing.
    """
    check_bodies(people, bodies)
    for gender in sorted(set(people.gender.tolist())):
        same = people.take(people.gender == gender)
        body = bodies.get(gender, bodies["neutral"] if "neutral" in bodies else next(iter(bodies.values())))
        for first in range(0, len(same), batch):
            part = completed(same.take(slice(first, first + batch)), bodies, images.size if images else None)
            yield _case(part, joint_set, body, images), part


def check_bodies(people: AnnotatedPeople, bodies: Mapping[str, BodyModel]) -> None:
    """ValueError where the body model of a fitted person is missing."""
    if missing := set(people.gender[people.fitted].tolist()) - set(bodies):
        raise ValueError(
            f"people are annotated with SMPL models of gender {sorted(missing)}: set --body-female, --body-male"
        )


def _case(people: AnnotatedPeople, joint_set: str, body: BodyModel, images: ImageDirectory | None) -> Case:
    vertices, joints = _posed(people, body)
    kp2d, score = convert_keypoints(people.kp2d, people.kp2d_score, JOINT_SETS[people.joint_set], JOINT_SETS[joint_set])
    normalized = (kp2d - people.K[:, None, :2, 2]) / people.K[:, None, [0, 1], [0, 1]]
    human36m = np.where(people.measured[:, None, None], people.human36m, body.regressor("human36m") @ vertices)
    boxes = network_boxes(people, kp2d, score > 0)
    height = (boxes[:, 3] - boxes[:, 1]) / people.K[:, 1, 1]
    shown = _shown(people, boxes, kp2d, score, images) if images else None
    return Case(joint_set, normalized, score, vertices, joints, human36m, score > 0, height, shown)


def _posed(people: AnnotatedPeople, body: BodyModel) -> tuple[Floats, Floats]:
    """Vertices (P, V, 3) and joints (P, 24, 3) m; NaN of people without a fit."""
    fitted = people.fitted
    pose = np.where(fitted[:, None, None], people.pose, 0)
    posed = body.posed(pose[:, 0], pose[:, 1:], np.where(fitted[:, None], people.betas, 0), people.cam_t)
    posed.vertices[~fitted] = np.nan
    posed.joints[~fitted] = np.nan
    return posed.vertices, posed.joints


def _shown(people: AnnotatedPeople, boxes: Floats, kp2d: Floats, score: Floats, images: ImageDirectory) -> Shown:
    """The input of a network that reads images."""
    focal = people.K[:, [0, 1], [0, 1]]
    centre = ((boxes[:, :2] + boxes[:, 2:]) / 2 - people.K[:, :2, 2]) / focal
    view = CropView(boxes, centre, (boxes[:, 3] - boxes[:, 1]) / focal[:, 1])
    positions = np.concatenate([view.to_crop_units(kp2d), score[..., None]], -1)
    keypoints = np.where(score[..., None] > 0, positions, 0).astype(np.float32)
    return Shown(images.crops(people.image, boxes, CROP_SHAPE), keypoints, view)
