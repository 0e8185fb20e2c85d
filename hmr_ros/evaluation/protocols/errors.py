# SPDX-License-Identifier: Apache-2.0
"""The errors of a protocol, per person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Floats, Ints, Strings
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.metrics import MM, mpjpe, mpvpe, pa_mpjpe, similarity_aligned
from hmr_ros.core.records import Record
from hmr_ros.core.skeleton import HUMAN36M, SMPL
from hmr_ros.evaluation.held_out.case import Case, Prediction
from hmr_ros.evaluation.protocols.registry import ACCELERATION, AUC, PCK, Protocol

PCK_MM = 150.0
AUC_MM = np.arange(0, 151, 5.0)
"""Thresholds of the area under the curve, those of MPI-INF-3DHP's evaluation."""

_CHUNK = 100


@dataclass(frozen=True, eq=False)
class PersonErrors(Record):
    """N people. ``values`` (N, M) of a protocol's metrics but the acceleration, NaN where one has no ground truth.

    ``predicted`` and ``ground_truth`` (N, J, 3) m: the joints, relative to the root. mm; PCK and AUC in percent.
    """

    values: Floats
    predicted: Floats
    ground_truth: Floats


def errors_of(found: Prediction, case: Case, body: BodyModel, protocol: Protocol) -> PersonErrors:
    """Errors of bodies of the model ``body``."""
    joints = body.regressor("human36m") @ found.vertices
    root = HUMAN36M.index(protocol.root)
    rows = np.array([HUMAN36M.index(joint) for joint in protocol.joints])
    predicted, ground_truth = (x[:, rows] - x[:, [root]] for x in (joints, case.human36m))
    distance = MM * np.linalg.norm(predicted - ground_truth, axis=-1)
    columns = {
        "MPJPE": mpjpe(joints, case.human36m, root, rows),
        "PA-MPJPE": pa_mpjpe(joints[:, rows], case.human36m[:, rows]),
        "MPVPE": _mesh_error(found.vertices, case.vertices, body),
        "PA-MPVPE": _aligned_mesh_error(found.vertices, case.vertices),
        PCK: 100 * (distance <= PCK_MM).mean(1),
        AUC: 100 * (distance[..., None] <= AUC_MM).mean((1, 2)),
    }
    values = np.stack([columns[name] for name in protocol.metrics if name != ACCELERATION], 1)
    return PersonErrors(values, predicted, ground_truth)


def _mesh_error(predicted: Floats, ground_truth: Floats, body: BodyModel) -> Floats:
    """(N,) mm, SMPL's regressed pelves aligned; NaN without a true mesh."""
    pelvis = body.J_regressor[SMPL.index("pelvis")]
    return mpvpe(predicted, ground_truth, pelvis @ predicted, pelvis @ ground_truth)


def _aligned_mesh_error(predicted: Floats, ground_truth: Floats) -> Floats:
    """(N,) mm after the best similarity transform of all vertices; NaN without a true mesh."""
    out = np.full(len(predicted), np.nan)
    known = np.flatnonzero(np.isfinite(ground_truth).all((1, 2)))
    for some in np.array_split(known, 1 + len(known) // _CHUNK):
        if len(some):
            aligned = similarity_aligned(predicted[some], ground_truth[some])
            out[some] = MM * np.linalg.norm(aligned - ground_truth[some], axis=-1).mean(1)
    return out


def acceleration_errors(errors: PersonErrors, track: Strings, frame: Ints) -> tuple[Floats, Ints]:
    """(A,) mm/frame^2 of every three consecutive frames of a track, and the (A,) row of the middle one.

    ``track`` (N,), ``frame`` (N,). Rows of a track keep their order; frames count by the step of the data set.
    """
    order = np.argsort(track, kind="stable")
    difference = (errors.predicted - errors.ground_truth)[order]
    steps = np.where(track[order][1:] == track[order][:-1], np.diff(frame[order]), 0)
    if not (steps > 0).any():
        return np.zeros(0), np.zeros(0, np.int64)
    together: Bools = steps == steps[steps > 0].min()
    middle = 1 + np.flatnonzero(together[:-1] & together[1:])
    second = difference[middle - 1] - 2 * difference[middle] + difference[middle + 1]
    return np.asarray(MM * np.linalg.norm(second, axis=-1).mean(1)), order[middle]
