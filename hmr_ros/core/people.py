# SPDX-License-Identifier: Apache-2.0
"""The records that pass between stages: frozen bundles of parallel arrays, one row per person.

Zero people is a normal value everywhere; each record has an ``empty`` constructor where it needs one.
Shapes are checked at construction, so code behind a constructor may trust them.
"""

from __future__ import annotations

import dataclasses
import enum
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Floats, Ints
from hmr_ros.core.camera import DISTORTION_SIZES as DISTORTION_SIZES
from hmr_ros.core.camera import Camera as Camera
from hmr_ros.core.forecasts import Forecasts
from hmr_ros.core.hands import BodyHands
from hmr_ros.core.records import Record, check_shape
from hmr_ros.core.skeleton import JOINT_SETS
from hmr_ros.core.uncertainty import Covariances

UNTRACKED = -1
"""Id of a detection before tracking."""


class State(enum.IntEnum):
    """State of a track in an image, numbered as in SmplBody.msg."""

    TENTATIVE = 0
    """New: seen in too few images to be trusted."""
    TRACKED = 1
    """Seen in this image, or in one of those before it by a detector that skips who hardly moves."""
    COASTING = 2
    """Not seen in this image, and not lost: at the position expected from the last images."""
    LOST = 3
    """Given up. Messages report it once; records hold no lost track."""


@dataclass(frozen=True, eq=False)
class Detections(Record):
    """People found in one image.

    ``boxes`` (P, 4) x1 y1 x2 y2 in px; ``scores`` (P,) 0..1; ``kp2d`` (P, J, 2) in full-image px;
    ``kp2d_score`` (P, J) 0..1, 0 = missing; ``joint_set`` names the J joints (core/skeleton.py);
    ``ids`` (P,) track ids, UNTRACKED before tracking.

    >>> len(Detections.empty("coco17"))
    0
    """

    boxes: Floats
    scores: Floats
    kp2d: Floats
    kp2d_score: Floats
    joint_set: str
    ids: Ints

    def __post_init__(self) -> None:
        people, joints = len(self.boxes), JOINT_SETS[self.joint_set].size
        check_shape(self, "boxes", (people, 4))
        check_shape(self, "scores", (people,))
        check_shape(self, "kp2d", (people, joints, 2))
        check_shape(self, "kp2d_score", (people, joints))
        check_shape(self, "ids", (people,))

    @staticmethod
    def of_boxes(boxes: Floats, scores: Floats | None = None, ids: Ints | None = None) -> Detections:
        """People of whom another detector knows the ``boxes`` (P, 4) px alone; ``scores`` are 1 unless given.

        Numbers beyond float32's become infinite, which the pipeline refuses.

        >>> Detections.of_boxes(np.array([[10.0, 20.0, 60.0, 180.0]]), ids=np.array([7])).has_keypoints
        False
        """
        with np.errstate(over="ignore"):
            boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
            people = len(boxes)
            scores = np.ones(people, np.float32) if scores is None else np.asarray(scores, np.float32)
        return Detections(
            boxes,
            scores,
            np.zeros((people, JOINT_SETS["coco17"].size, 2), np.float32),
            np.zeros((people, JOINT_SETS["coco17"].size), np.float32),
            "coco17",
            np.full(people, UNTRACKED, np.int64) if ids is None else np.asarray(ids, np.int64),
        )

    @property
    def has_keypoints(self) -> bool:
        """Whether any person has a keypoint: people of whom only boxes are known have none."""
        return bool((self.kp2d_score > 0).any())

    @staticmethod
    def empty(joint_set: str) -> Detections:
        """No detections."""
        joints = JOINT_SETS[joint_set].size
        return Detections(
            np.zeros((0, 4), np.float32),
            np.zeros(0, np.float32),
            np.zeros((0, joints, 2), np.float32),
            np.zeros((0, joints), np.float32),
            joint_set,
            np.zeros(0, np.int64),
        )


_ESTIMATED = {
    "global_orient": (3,),
    "body_pose": (23, 3),
    "betas": (10,),
    "cam_t": (3,),
    "joint_error": (24,),
    "disagreement": (24,),
    "joint_covariance": (24, 3, 3),
    "root_covariance": (3, 3),
}
"""Shape per person of what is estimated, in Estimates and in Bodies."""


@dataclass(frozen=True, eq=False)
class Estimates(Record):
    """Estimates of P people by one method: SMPL parameters in the camera's optical frame, one row per detection.

    ``global_orient`` (P, 3) rotvec, body root -> optical; ``body_pose`` (P, 23, 3) rotvec child -> parent; ``betas``
    (P, 10); ``cam_t`` (P, 3) m, position of the pelvis joint; ``joint_error`` (P, 24) m, expected distance of each
    joint from the ground truth, root-relative (NaN: unknown); ``disagreement`` (P, 24) m, distance between the joints
    of two methods, root-relative (NaN: one of them is unknown); ``joint_covariance`` (P, 24, 3, 3) m^2,
    root-relative, and ``root_covariance`` (P, 3, 3) m^2 (core/uncertainty.py; NaN: unknown); ``valid`` (P,): the other
    rows are NaN.
    """

    global_orient: Floats
    body_pose: Floats
    betas: Floats
    cam_t: Floats
    joint_error: Floats
    disagreement: Floats
    joint_covariance: Floats
    root_covariance: Floats
    valid: Bools

    def __post_init__(self) -> None:
        people = len(self.valid)
        for name, shape in _ESTIMATED.items():
            check_shape(self, name, (people, *shape))
        check_shape(self, "valid", (people,))

    @staticmethod
    def unknown(people: int) -> Estimates:
        """Estimates of as many ``people``, none ``valid``: all NaN, float32."""
        columns = {name: _nan(people, *shape) for name, shape in _ESTIMATED.items()}
        return Estimates(**columns, valid=np.zeros(people, np.bool_))

    def with_uncertainty(self, expected_error: Floats, covariances: Covariances) -> Estimates:
        """These estimates with expected errors (P, 24) m and covariances, where they are valid."""
        return dataclasses.replace(
            self,
            joint_error=np.where(self.valid[:, None], expected_error, np.nan),
            joint_covariance=np.where(self.valid[:, None, None, None], covariances.joints, np.nan),
            root_covariance=np.where(self.valid[:, None, None], covariances.root, np.nan),
        )


@dataclass(frozen=True, eq=False)
class Bodies(Record):
    """Estimated bodies of P people, metric, in the camera's optical frame (x right, y down, z forward).

    ``ids`` (P,); ``states`` (P,) of State; ``unseen_s`` (P,) s since the last image that shows the person, 0: this one;
    ``scores`` (P,) 0..1; ``kp2d`` (P, J, 2) px and ``kp2d_score`` (P, J): the evidence, in ``joint_set``;
    ``global_orient`` (P, 3) rotvec, body root -> optical; ``body_pose`` (P, 23, 3) rotvec child -> parent; ``betas``
    (P, 10); ``cam_t`` (P, 3) m, position of the pelvis joint; ``joints`` (P, 24, 3) m, SMPL joints; ``vertices`` (P, V,
    3) m; ``joint_error`` (P, 24) m, expected distance of each joint from the ground truth, root-relative (NaN:
    unknown); ``disagreement`` (P, 24) m, between the joints of two methods, root-relative (NaN: unknown);
    ``joint_covariance`` (P, 24, 3, 3) m^2, root-relative, and ``root_covariance`` (P, 3, 3) m^2 of the estimates before
    smoothing (NaN: unknown); ``valid`` (P,) False where ``cam_t`` could not be fitted: 2D only, the metric fields of
    that row are NaN; ``hands`` of the P people, None where hands are not looked for; ``forecasts`` of the same people,
    None: not asked for.
    """

    ids: Ints
    states: Ints
    unseen_s: Floats
    scores: Floats
    kp2d: Floats
    kp2d_score: Floats
    joint_set: str
    global_orient: Floats
    body_pose: Floats
    betas: Floats
    cam_t: Floats
    joints: Floats
    vertices: Floats
    joint_error: Floats
    disagreement: Floats
    joint_covariance: Floats
    root_covariance: Floats
    valid: Bools
    hands: BodyHands | None = None
    forecasts: Forecasts | None = None

    def __post_init__(self) -> None:
        people, joints = len(self.ids), JOINT_SETS[self.joint_set].size
        check_shape(self, "ids", (people,))
        check_shape(self, "states", (people,))
        check_shape(self, "unseen_s", (people,))
        check_shape(self, "scores", (people,))
        check_shape(self, "kp2d", (people, joints, 2))
        check_shape(self, "kp2d_score", (people, joints))
        check_shape(self, "joints", (people, 24, 3))
        check_shape(self, "vertices", (people, None, 3))
        for name, shape in _ESTIMATED.items():
            check_shape(self, name, (people, *shape))
        check_shape(self, "valid", (people,))
        if self.hands is not None and len(self.hands) != people:
            raise ValueError(f"Bodies.hands: expected hands of {people} people, got those of {len(self.hands)}")
        if self.forecasts is not None and len(self.forecasts) != people:
            raise ValueError(f"Bodies.forecasts: expected {people} people, got {len(self.forecasts)}")

    @staticmethod
    def without_geometry(detections: Detections, vertex_count: int) -> Bodies:
        """The people of ``detections``, seen now, with 2D evidence only: metric fields NaN, ``valid`` False."""
        people = len(detections)
        return Bodies(
            ids=detections.ids,
            states=np.full(people, State.TRACKED, np.uint8),
            unseen_s=np.zeros(people, np.float32),
            scores=detections.scores,
            kp2d=detections.kp2d,
            kp2d_score=detections.kp2d_score,
            joint_set=detections.joint_set,
            joints=_nan(people, 24, 3),
            vertices=_nan(people, vertex_count, 3),
            **vars(Estimates.unknown(people)),
        )


def _nan(*shape: int) -> Floats:
    """An array of ``shape`` whose values are unknown: NaN, float32."""
    return np.full(shape, np.nan, np.float32)
