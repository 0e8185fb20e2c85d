# SPDX-License-Identifier: Apache-2.0
"""Hands that are seen -> joints, meshes and finger angles in space, by Pose2Mesh on hands.

The network reads the 21 points, in its small form in the hand's virtual camera and with the detector's own 3D, and
knows right hands: left ones are mirrored before and after.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Float32s, Floats, Ints
from hmr_ros.core.body.hand_model import SIDES, HandModel, mirrored_rotations
from hmr_ros.core.camera import Camera
from hmr_ros.core.fitting.hand_pose import HandPoses, fit_hand_pose
from hmr_ros.core.geometry.camera import undistort_points
from hmr_ros.core.geometry.virtual_camera import to_virtual_camera
from hmr_ros.core.records import Record, check_shape
from hmr_ros.core.skeleton import MANO
from hmr_ros.engines.runtime import Engine, require_kind
from hmr_ros.perception.hands import Hands

_MIRROR = np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True, eq=False)
class HandMeshes(Record):
    """N hands that are seen, in the axes of the optical frame.

    ``rows`` (N,) of the person in Hands, ``right`` (N,) whether it is the right hand; ``vertices`` (N, 778, 3) and
    ``joints`` (N, 21, 3) m, relative to the wrist joint; ``joint_error`` (N, 21) m, expected distance of each joint
    from the ground truth, NaN from a network that does not say; ``poses`` of the open hand whose fingers point alike,
    within their limits.
    """

    rows: Ints
    right: Bools
    vertices: Floats
    joints: Floats
    joint_error: Floats
    poses: HandPoses

    def __post_init__(self) -> None:
        hands = len(self.rows)
        check_shape(self, "right", (hands,))
        check_shape(self, "vertices", (hands, None, 3))
        check_shape(self, "joints", (hands, MANO.size, 3))
        check_shape(self, "joint_error", (hands, MANO.size))


class HandLifter:
    """Pose2Mesh on hands, in its small form or as published."""

    def __init__(self, engine: Engine, hand: HandModel) -> None:
        """``engine``: a network of this kind (``hmr export``); ``hand``: the open hand, either side."""
        require_kind(engine, "hand_pose2mesh")
        self._engine = engine
        self._right = hand if hand.side == "right" else hand.mirrored()
        self._lift = self._lift_pixels if engine.manifest.normalisation.get("input") == "pixels" else self._lift_views

    def __call__(self, hands: Hands, camera: Camera) -> HandMeshes:
        """The meshes of the ``hands`` that ``camera`` sees; people in order, each one's left hand first."""
        rows, sides = np.nonzero(hands.seen)
        right = sides == SIDES.index("right")
        mirror = np.where(right[:, None, None], 1.0, _MIRROR)
        normalized = undistort_points(hands.points[rows, sides], camera) * mirror[..., :2]
        lifted = self._lift(normalized, np.nan_to_num(hands.world[rows, sides] * mirror))
        poses = _own_sides(fit_hand_pose(lifted.joints, self._right), right)
        return HandMeshes(rows, right, lifted.vertices * mirror, lifted.joints * mirror, lifted.joint_error, poses)

    def _lift_views(self, normalized: Floats, world: Floats) -> _Lifted:
        """Right hands by the small form, which reads their virtual cameras, scores and own 3D."""
        seen = np.asarray(np.isfinite(normalized).all(-1), np.float32)
        view = to_virtual_camera(normalized, seen, least_size=0)
        own = np.asarray(world @ view.optical_from_virtual, np.float32)
        found = self._run({"keypoints": view.keypoints, "context": view.context, "world": own})
        optical = view.optical_from_virtual.transpose(0, 2, 1)
        return _Lifted(found.vertices @ optical, found.joints @ optical, found.joint_error)

    def _lift_pixels(self, normalized: Floats, world: Floats) -> _Lifted:
        """Right hands by the paper's form, which reads the points alone, in any unit, and must have all of them."""
        known = np.isfinite(normalized).all(-1, keepdims=True)
        middle = np.where(known, normalized, 0).sum(1, keepdims=True) / np.maximum(known.sum(1, keepdims=True), 1)
        return self._run({"keypoints": np.where(known, normalized, middle).astype(np.float32)})

    def _run(self, inputs: dict[str, Float32s]) -> _Lifted:
        hands = len(inputs["keypoints"])
        unknown = np.full((hands, MANO.size), np.nan)
        if hands == 0:
            return _Lifted(np.zeros((0, self._right.vertex_count, 3)), np.zeros((0, MANO.size, 3)), unknown)
        outputs = self._engine.run(inputs)
        return _Lifted(outputs["vertices"], outputs["joints"], outputs.get("joint_error", unknown))


@dataclass(frozen=True, eq=False)
class _Lifted:
    """What a network says of N right hands: see HandMeshes."""

    vertices: Floats
    joints: Floats
    joint_error: Floats


def _own_sides(poses: HandPoses, right: Bools) -> HandPoses:
    """``poses`` of N right hands as those of the mirror images of the hands that are not ``right`` (N,)."""
    is_right = right[:, None]
    orient = np.where(is_right, poses.orient, mirrored_rotations(poses.orient))
    return HandPoses(orient, np.where(is_right[..., None], poses.pose, mirrored_rotations(poses.pose)), poses.angles)
