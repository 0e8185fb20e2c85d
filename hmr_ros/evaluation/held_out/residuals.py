# SPDX-License-Identifier: Apache-2.0
"""Residuals: differences of estimates from the ground truth, with what the robot knows of them, for calibration."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.random import default_rng

from hmr_ros.core.arrays import Bools, Floats, Int64s, Ints
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.records import Record, join_rows
from hmr_ros.core.uncertainty import Uncertainty
from hmr_ros.evaluation.held_out.case import Case, Prediction, SyntheticPeople, observed
from hmr_ros.evaluation.held_out.predictor import Predictor, own_case
from hmr_ros.evaluation.held_out.protocol import OWN, SOURCES, groupings
from hmr_ros.evaluation.held_out.report import Grouping, join_groupings
from hmr_ros.training.datasets.motion import Motion

KEYPOINTS = {source: mix for source, mix in SOURCES.items() if mix}
"""The keypoints that networks are calibrated on: every person is observed with each of these errors once, and with
those that the network finds itself, if it does.
"""

DISTANCES = ("below 2.5 m", "2.5 to 8 m", "beyond 8 m")
_DISTANCE_EDGES_M = (2.5, 8.0)


@dataclass(frozen=True, eq=False)
class Residuals(Record):
    """Errors of N placed people; m, optical frame.

    ``joints`` (N, 24, 3): estimate minus ground truth, both relative to their pelvis; ``root`` (N, 3): of the pelvis;
    ``expected_error`` (N, 24), ``score`` (N, J) of the keypoints and ``cam_t`` (N, 3) as the robot has them; ``misfit``
    (N,) of keypoints and body, NaN: unknown; ``person`` (N,): the number of the synthetic person; ``clip`` (N,) they
    move as; ``groupings`` of all.
    """

    joints: Floats
    root: Floats
    expected_error: Floats
    score: Floats
    cam_t: Floats
    misfit: Floats
    person: Int64s
    clip: Int64s
    groupings: Sequence[Grouping]

    def take(self, index: Ints | Bools | slice) -> Self:
        """The people at ``index``, with their groupings."""
        groups = [dataclasses.replace(g, labels=g.labels[index]) for g in self.groupings]
        return dataclasses.replace(super().take(index), groupings=groups)


@dataclass(frozen=True, eq=False)
class Distances:
    """Mahalanobis distances of the ground truth: ``joints`` (N, 23), all but the pelvis, and ``root`` (N,)."""

    joints: Floats
    root: Floats


def distances(residuals: Residuals, uncertainty: Uncertainty) -> Distances:
    """Mahalanobis distances by the covariances that the robot publishes."""
    covariances = uncertainty(residuals.expected_error, residuals.score, residuals.cam_t, residuals.misfit)
    joints = _mahalanobis(residuals.joints[:, 1:], covariances.joints[:, 1:])
    return Distances(joints, _mahalanobis(residuals.root, covariances.root))


def _mahalanobis(error: Floats, covariance: Floats) -> Floats:
    """Errors (..., 3) and covariances (..., 3, 3) -> distances (...)."""
    solved = np.linalg.solve(covariance, error[..., None])[..., 0]
    return np.asarray(np.sqrt((error * solved).sum(-1)))


def residuals_of(predictor: Predictor, batches: Iterable[SyntheticPeople], body: BodyModel, seed: int) -> Residuals:
    """Residuals of every person under all KEYPOINTS, and under its own; of the bodies that the robot would publish."""
    parts: list[Residuals] = []
    first = 0
    for people in batches:
        cases = {
            source: observed(people, predictor.joint_set, mix, body, default_rng((seed, first, number)))
            for number, (source, mix) in enumerate(KEYPOINTS.items())
        }
        if own := own_case([predictor], people, body, default_rng((seed, first, len(SOURCES)))):
            cases[OWN] = own
        parts += [_placed(predictor.predict(case)[-1], case, people, source, first) for source, case in cases.items()]
        first += len(people)
    return dataclasses.replace(join_rows(parts), groupings=join_groupings([part.groupings for part in parts]))


def _placed(found: Prediction, case: Case, people: SyntheticPeople, source: str, first: int) -> Residuals:
    relative = found.joints - found.joints[:, :1] - (case.joints - case.joints[:, :1])
    residuals = Residuals(
        joints=relative,
        root=found.root - case.joints[:, 0],
        expected_error=found.expected_error,
        score=case.score,
        cam_t=found.root,
        misfit=np.full(len(people), np.nan) if found.misfit is None else found.misfit,
        person=first + np.arange(len(people)),
        clip=people.clip,
        groupings=[_sources(source, len(people)), _distance_groups(case), *groupings(people)],
    )
    # Of people without any keypoint, as where a network finds too few itself, the robot knows no covariance.
    return residuals.take(np.asarray(np.isfinite(found.root).all(1) & (case.score > 0).any(1)))


def _sources(source: str, count: int) -> Grouping:
    return Grouping("2D", (*KEYPOINTS, OWN), np.full(count, source))


def _distance_groups(case: Case) -> Grouping:
    labels = np.array(DISTANCES)[np.digitize(case.joints[:, 0, 2], _DISTANCE_EDGES_M)]
    return Grouping("distance", DISTANCES, labels)


def calibration_clips(motion: Motion) -> Bools:
    """(C,) whether a clip belongs to the half that networks are calibrated on; the other half tests the calibration.

    Takes are not split, as clips cut from one take are alike: every other take of each subject, by name.
    """
    chosen = np.zeros(len(motion.clip_id), np.bool_)
    for subject in np.unique(motion.clip_subject):
        takes, number = np.unique(motion.clip_id[motion.clip_subject == subject], return_inverse=True)
        chosen[motion.clip_subject == subject] = (np.arange(len(takes)) % 2 == 0)[number]
    return chosen
