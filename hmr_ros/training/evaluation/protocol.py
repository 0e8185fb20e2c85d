"""The protocol: which errors, on which joints, by which groups of people.

* MPJPE and PA-MPJPE: the 14 evaluation joints of Human3.6M, regressed from predicted and true mesh by the body model's
  regressor; MPJPE relative to the regressed pelvis of each.
* MPVPE: all vertices, relative to SMPL's pelvis regressed from each mesh.
* MPJPE-24: the network's own SMPL joints against the posed ones, relative to the pelvis joint.
* Depth: the root's z, found from predicted body and 2D keypoints with the true camera matrix.

Bodies are judged as the robot publishes them, placed and fitted to their keypoints by ``core/placement.py``; those of
Pose2Mesh in its published form as its authors judge them.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hmr_ros.core.body_model import BodyModel
from hmr_ros.core.fitting import fit_translation
from hmr_ros.core.metrics import mpjpe, mpvpe, pa_mpjpe
from hmr_ros.core.placement import Placement
from hmr_ros.core.skeleton import HUMAN36M, HUMAN36M_EVAL, JOINT_SETS, SMPL
from hmr_ros.training.evaluation.predictor import Predictor
from hmr_ros.training.evaluation.report import Errors, Grouping
from hmr_ros.training.synthetic.keypoints import KeypointMix, observe
from hmr_ros.training.synthetic.people import PeopleBatch
from hmr_ros.training.synthetic.poses import PoseKind

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]

SOURCES = {
    "true": KeypointMix(clean=1.0),
    "human36m": KeypointMix("human36m", clean=0.0, weak=1.0, strong=1.0, scored=0.0),
    "coco": KeypointMix("coco", clean=0.0, weak=1.0, strong=1.0, scored=0.0),
}
"""Where 2D keypoints come from: the truth, or either of Pose2Mesh's synthetic errors, in full and without hints."""

ALL_SEEN = ("all seen", "some missing")
LOSSES = ("none", "some", "half body")
VIEWS = ("front", "side", "back")
STATURES = ("adult", "child")
_FOCAL_EDGES = (0.6, 0.9, 1.3, 1.8)
FOCALS = tuple(f"{a:g}-{b:g}" for a, b in itertools.pairwise(_FOCAL_EDGES))

_MANY = 1 / 3
"""Share of lost keypoints beyond which a body counts as half a body."""
_FACING = 0.5
"""Cosine to the line of sight beyond which a body is seen from the front or the back: within 60 degrees."""
ADULT = 1.45
"""m of stature."""

_EVAL_ROWS = np.array([HUMAN36M.index(joint) for joint in HUMAN36M_EVAL])
_STATURE_CHAIN = ("head", "neck", "spine3", "spine2", "spine1", "pelvis", "left_hip", "left_knee", "left_ankle")
_CHAIN_OF_STATURE = 0.85
"""The chain of bones from head joint to ankle is this share of a person's stature."""


@dataclass(frozen=True, eq=False)
class Case:
    """B people to recover, and the truth: m, optical frame.

    ``rays`` (B, J, 2) x/z, y/z of the keypoints and ``score`` (B, J); ``vertices`` (B, V, 3); ``joints`` (B, 24, 3);
    ``human36m`` (B, 17, 3).
    """

    rays: Floats
    score: Floats
    vertices: Floats
    joints: Floats
    human36m: Floats


def observed(people: PeopleBatch, joint_set: str, source: KeypointMix, body: BodyModel, rng: Generator) -> Case:
    """Synthetic ``people`` (with all vertices), their keypoints as ``source`` says."""
    seen = observe(people, JOINT_SETS[joint_set], source, rng)
    human36m = body.regressor("human36m") @ people.vertices
    return Case(people.views.to_rays(seen.pixels), seen.score, people.vertices, people.joints, human36m)


def measure(predictor: Predictor, case: Case, body: BodyModel) -> Errors:
    """Errors of ``predictor``, which recovers ``body``."""
    vertices, joints = predictor.recover(case.rays, case.score)
    if predictor.virtual_camera:
        placed = Placement(body, predictor.joint_set).of_meshes(vertices, case.rays, case.score)
        known = placed.take(placed.valid)
        posed = body.posed(known.global_orient, known.body_pose, known.betas, np.zeros_like(known.cam_t))
        vertices[placed.valid], joints[placed.valid] = posed.vertices, posed.joints
        root = placed.cam_t
    else:
        root = fit_translation(body.regressor(predictor.joint_set) @ vertices, case.rays, case.score).translation
    return errors_of(vertices, joints, root[:, 2] / case.joints[:, 0, 2] - 1, case, body)


def errors_of(vertices: Floats, joints: Floats, depth: Floats, case: Case, body: BodyModel) -> Errors:
    """Errors of ``vertices`` (B, V, 3) and ``joints`` (B, 24, 3) m, in optical axes at any place."""
    predicted, truth = body.regressor("human36m") @ vertices, case.human36m
    pelvis = body.J_regressor[SMPL.index("pelvis")]
    return Errors(
        mpjpe=mpjpe(predicted, truth, HUMAN36M.index("pelvis"), _EVAL_ROWS),
        pa_mpjpe=pa_mpjpe(predicted[:, _EVAL_ROWS], truth[:, _EVAL_ROWS]),
        mpvpe=mpvpe(vertices, case.vertices, pelvis @ vertices, pelvis @ case.vertices),
        mpjpe_smpl=mpjpe(joints, case.joints),
        depth=depth,
    )


def groupings(people: PeopleBatch) -> list[Grouping]:
    """The groups that the report divides ``people`` into."""
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
    ]


def _loss_labels(lost: Bools) -> NDArray[np.str_]:
    """Name each person (B, J) -> (B,) by how many keypoints are lost: none, up to a third, more."""
    share = lost.mean(1)
    return np.select([share == 0, share <= _MANY], LOSSES[:2], LOSSES[2])


def _focal_labels(people: PeopleBatch) -> NDArray[np.str_]:
    ratio = people.views.K[:, 0, 0] / np.linalg.norm(people.views.image_size, axis=1)
    labels: NDArray[np.str_] = np.array(FOCALS)[np.digitize(ratio, _FOCAL_EDGES[1:-1])]
    return labels


def _view_labels(people: PeopleBatch) -> NDArray[np.str_]:
    """Front, side or back by the angle between the pelvis's forward axis and the line of sight."""
    sight = people.joints[:, 0] / np.linalg.norm(people.joints[:, 0], axis=1, keepdims=True)
    away = (people.rotations[:, 0, :, 2] * sight).sum(1)
    return np.select([away < -_FACING, away <= _FACING], VIEWS[:2], VIEWS[2])


def _stature(joints: Floats) -> Floats:
    """(B,) m, estimated from the bones of ``joints`` (B, 24, 3) between head and ankle; no pose changes it."""
    chain = joints[:, [SMPL.index(j) for j in _STATURE_CHAIN]]
    return np.asarray(np.linalg.norm(np.diff(chain, axis=1), axis=-1).sum(1) / _CHAIN_OF_STATURE)
