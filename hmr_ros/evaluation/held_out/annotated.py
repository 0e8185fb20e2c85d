# SPDX-License-Identifier: Apache-2.0
"""Evaluation of methods on the annotated people of a licensed data set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from hmr_ros.core.arrays import Bools, Floats
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.geometry.crop import KEYPOINT_MARGIN, pad_to_aspect
from hmr_ros.core.geometry.crop_view import BOX_SCALE, CROP_ASPECT
from hmr_ros.core.records import join_rows
from hmr_ros.core.skeleton import JOINT_SETS, convert_keypoints
from hmr_ros.evaluation.held_out.case import Case
from hmr_ros.evaluation.held_out.predictor import Predictor
from hmr_ros.evaluation.held_out.protocol import errors_of
from hmr_ros.evaluation.held_out.report import Row, summarise
from hmr_ros.training.datasets.annotated import AnnotatedPeople

_BATCH = 250


def evaluate_annotated(
    predictor: Predictor, people: AnnotatedPeople, body: BodyModel, bodies: Mapping[str, BodyModel]
) -> list[Row]:
    """One row for all ``people``; ``body``: the network's body model; ``bodies``: the ground truth's by gender."""
    errors, persons = [], []
    for case, part in cases(people, predictor.joint_set, bodies, _BATCH):
        found = predictor.predict(case)[-1]
        errors.append(errors_of(found, case, body))
        persons.append(part.person)
    return summarise("annotated", found.output, join_rows(errors), [], np.concatenate(persons))


def cases(
    people: AnnotatedPeople, joint_set: str, bodies: Mapping[str, BodyModel], batch: int
) -> Iterator[tuple[Case, AnnotatedPeople]]:
    """Cases of at most ``batch`` people with those people, gender by gender; keypoints are read as ``joint_set``.

    ``bodies``: the true body model by gender. Raises ValueError where one, or a camera, or a
    translation is missing.
    """
    if not (np.isfinite(people.K).all() and np.isfinite(people.cam_t).all()):
        raise ValueError(
            "these annotations have no cameras or translations, which lifting and measuring 2D keypoints needs"
        )
    if missing := set(people.gender.tolist()) - set(bodies):
        raise ValueError(
            f"people are annotated with SMPL models of gender {sorted(missing)}: set --body-female, --body-male"
        )
    for gender in sorted(set(people.gender.tolist())):
        same = people.take(people.gender == gender)
        for first in range(0, len(same), batch):
            part = same.take(slice(first, first + batch))
            yield _case(part, joint_set, bodies[gender]), part


def _case(people: AnnotatedPeople, joint_set: str, body: BodyModel) -> Case:
    posed = body.posed(people.pose[:, 0], people.pose[:, 1:], people.betas, people.cam_t)
    kp2d, score = convert_keypoints(people.kp2d, people.kp2d_score, JOINT_SETS[people.joint_set], JOINT_SETS[joint_set])
    normalized = (kp2d - people.K[:, None, :2, 2]) / people.K[:, None, [0, 1], [0, 1]]
    measured = np.isfinite(people.human36m).all((1, 2), keepdims=True)
    human36m = np.where(measured, people.human36m, body.regressor("human36m") @ posed.vertices)
    height = _box_heights(kp2d, score > 0) / people.K[:, 1, 1]
    return Case(joint_set, normalized, score, posed.vertices, posed.joints, human36m, score > 0, height)


def _box_heights(kp2d: Floats, seen: Bools) -> Floats:
    """(P,) px: heights of the boxes around ``seen`` keypoints (P, J), as networks get them; NaN without keypoints."""
    points = np.where(seen[..., None], kp2d, np.nan)
    low, high = np.fmin.reduce(points, 1), np.fmax.reduce(points, 1)
    margin = KEYPOINT_MARGIN * (high - low)
    boxes = pad_to_aspect(np.concatenate([low - margin, high + margin], 1), CROP_ASPECT, BOX_SCALE)
    return boxes[:, 3] - boxes[:, 1]
