# SPDX-License-Identifier: Apache-2.0
"""The protocol: which errors, on which joints, by which groups of people.

* MPJPE and PA-MPJPE: the 14 evaluation joints of Human3.6M, regressed from predicted and true mesh by the body model's
  regressor; MPJPE relative to the regressed pelvis of each.
* MPVPE: all vertices, relative to SMPL's pelvis regressed from each mesh.
* MPJPE-24: the network's own SMPL joints against the posed ones, relative to the pelvis joint.
* PCK: keypoints of the placed body, projected, that lie within 0.05 or 0.1 of the height of the person's box from the
  true ones. The box is the network's: around what is seen, padded to 3:4 and enlarged by 1.1. All keypoints within the
  image count, hidden ones too.
* Depth: the root's z.

Bodies are evaluated as the robot publishes them, placed and fitted to their keypoints by ``core/fitting/placement.py``;
the stages of Global-to-Pixel also alone, at the positions that they estimate; those of Pose2Mesh in its published form
as its authors evaluate them.
"""

from __future__ import annotations

import itertools

import numpy as np

from hmr_ros.core.arrays import Bools, Floats, Strings
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.geometry.torso import torso_tilt
from hmr_ros.core.metrics import mpjpe, mpvpe, pa_mpjpe
from hmr_ros.core.skeleton import HUMAN36M, HUMAN36M_EVAL, SMPL
from hmr_ros.evaluation.held_out.case import Case, Prediction, SyntheticPeople
from hmr_ros.evaluation.held_out.report import Errors, Grouping
from hmr_ros.training.synthetic.keypoints import KeypointMix
from hmr_ros.training.synthetic.poses import PoseKind

SOURCES: dict[str, KeypointMix | None] = {
    "true": KeypointMix(clean=1.0),
    "human36m": KeypointMix("human36m", clean=0.0, weak=1.0, strong=1.0, scored=0.0),
    "coco": KeypointMix("coco", clean=0.0, weak=1.0, strong=1.0, scored=0.0),
    "projection": None,
}
"""Sources of 2D keypoints: the ground truth; either of Pose2Mesh's synthetic errors, at full strength and without
scores; none, so that a network uses the projection of its own first estimate.
"""

OWN = "own"
"""One more source, of networks that find keypoints themselves: bodies are fitted to these, as the robot does with
keypoint_source ``own``. Who has too few of them gets no position from them; the robot takes the detector's then.
"""

PCK_FRACTIONS = (0.05, 0.1)
"""Distances within which a keypoint is correct, box heights."""
_NEAREST_M = 0.05

ALL_SEEN = ("all seen", "some missing")
LOSSES = ("none", "some", "half body")
VIEWS = ("front", "side", "back")
STATURES = ("adult", "child")
TILTS = ("below 45", "45-90", "90-120", "beyond 120")
"""Degrees that the torso, from pelvis to neck, is tilted from upright in the image."""
_TILT_EDGES_DEG = (45, 90, 120)
_FOCAL_EDGES = (0.6, 0.9, 1.3, 1.8)
FOCALS = tuple(f"{a:g}-{b:g}" for a, b in itertools.pairwise(_FOCAL_EDGES))

_MANY = 1 / 3
"""Fraction of lost keypoints beyond which a body counts as half a body."""
_FACING = 0.5
"""Cosine to the line of sight beyond which a body is seen from the front or the back: within 60 degrees."""
ADULT = 1.45
"""m of stature."""

_EVAL_ROWS = np.array([HUMAN36M.index(joint) for joint in HUMAN36M_EVAL])
_STATURE_CHAIN = ("head", "neck", "spine3", "spine2", "spine1", "pelvis", "left_hip", "left_knee", "left_ankle")
_CHAIN_OF_STATURE = 0.85
"""The chain of bones from head joint to ankle is this fraction of a person's stature."""


def errors_of(found: Prediction, case: Case, body: BodyModel) -> Errors:
    """Errors of bodies of the model ``body``."""
    predicted, ground_truth = body.regressor("human36m") @ found.vertices, case.human36m
    pelvis = body.J_regressor[SMPL.index("pelvis")]
    narrow, wide = (correct_keypoints(found, case, body, fraction) for fraction in PCK_FRACTIONS)
    return Errors(
        mpjpe=mpjpe(predicted, ground_truth, HUMAN36M.index("pelvis"), _EVAL_ROWS),
        pa_mpjpe=pa_mpjpe(predicted[:, _EVAL_ROWS], ground_truth[:, _EVAL_ROWS]),
        mpvpe=mpvpe(found.vertices, case.vertices, pelvis @ found.vertices, pelvis @ case.vertices),
        mpjpe_smpl=mpjpe(found.joints, case.joints),
        pck_05=narrow,
        pck_10=wide,
        depth=found.root[:, 2] / case.joints[:, 0, 2] - 1,
    )


def correct_keypoints(found: Prediction, case: Case, body: BodyModel, fraction: float) -> Floats:
    """(B,) percent of the keypoints in the image that project to within ``fraction`` box heights of the ground truth.

    Bodies without a position have none.
    """
    regressor = body.regressor(case.joint_set)
    positioned = regressor @ (found.vertices + (found.root - found.joints[:, 0])[:, None])
    distance = np.linalg.norm(_normalized(positioned) - _normalized(regressor @ case.vertices), axis=-1)
    correct = (distance <= fraction * case.height[:, None]) & case.in_image
    return np.asarray(100 * correct.sum(1) / np.maximum(case.in_image.sum(1), 1))


def _normalized(points: Floats) -> Floats:
    """(B, J, 3) m -> (B, J, 2) x/z, y/z; those beside or behind the camera come out far outside."""
    return np.asarray(points[..., :2] / np.maximum(points[..., 2:], _NEAREST_M))


def groupings(people: SyntheticPeople) -> list[Grouping]:
    """The groupings of ``people`` in the report."""
    poses = tuple(kind.name.lower() for kind in PoseKind)
    adult = _stature(people.joints) >= ADULT
    return [
        Grouping("keypoints", ALL_SEEN, np.where(people.visible.all(1), *ALL_SEEN)),
        Grouping("cut by border", LOSSES, _loss_labels(~people.in_image)),
        Grouping("hidden", LOSSES, _loss_labels(people.in_image & ~people.visible)),
        Grouping("f / diagonal", FOCALS, _focal_labels(people)),
        Grouping("pose", poses, np.array(poses)[people.kind]),
        Grouping("view", VIEWS, _view_labels(people)),
        Grouping("stature", STATURES, np.where(adult, *STATURES)),
        Grouping("torso tilt", TILTS, _tilt_labels(people.joints)),
    ]


def _loss_labels(lost: Bools) -> Strings:
    """Name each person (B, J) -> (B,) by how many keypoints are lost: none, up to a third, more."""
    fraction = lost.mean(1)
    return np.select([fraction == 0, fraction <= _MANY], LOSSES[:2], LOSSES[2])


def _focal_labels(people: SyntheticPeople) -> Strings:
    ratio = people.K[:, 0, 0] / np.linalg.norm(people.image_size, axis=1)
    labels: Strings = np.array(FOCALS)[np.digitize(ratio, _FOCAL_EDGES[1:-1])]
    return labels


def _view_labels(people: SyntheticPeople) -> Strings:
    """Front, side or back by the angle between the pelvis's forward axis and the line of sight."""
    sight = people.joints[:, 0] / np.linalg.norm(people.joints[:, 0], axis=1, keepdims=True)
    away = (people.rotations[:, 0, :, 2] * sight).sum(1)
    return np.select([away < -_FACING, away <= _FACING], VIEWS[:2], VIEWS[2])


def _tilt_labels(joints: Floats) -> Strings:
    """By the true ``joints`` (B, 24, 3), whether they are seen or not."""
    tilt = torso_tilt(_normalized(joints), np.ones(joints.shape[:2]), SMPL)
    labels: Strings = np.array(TILTS)[np.digitize(np.rad2deg(np.abs(tilt)), _TILT_EDGES_DEG)]
    return labels


def _stature(joints: Floats) -> Floats:
    """(B,) m, estimated from the bones of ``joints`` (B, 24, 3) between head and ankle; no pose changes it."""
    chain = joints[:, [SMPL.index(j) for j in _STATURE_CHAIN]]
    return np.asarray(np.linalg.norm(np.diff(chain, axis=1), axis=-1).sum(1) / _CHAIN_OF_STATURE)
