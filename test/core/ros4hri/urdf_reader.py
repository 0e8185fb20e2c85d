# SPDX-License-Identifier: Apache-2.0
"""A URDF and its kinematics, written from the URDF specification alone: the reference for ours."""

from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np

from hmr_ros.core.geometry.rotation import rotvec_to_rotmat


@dataclass(frozen=True)
class UrdfJoint:
    name: str
    kind: str
    parent: str
    child: str
    xyz: np.ndarray
    axis: np.ndarray
    limits: tuple[float, float]


def read_joints(urdf):
    """All joints of a URDF text, in its order."""
    joints = []
    for element in ElementTree.fromstring(urdf).iter("joint"):
        origin, axis, limit = (element.find(tag) for tag in ("origin", "axis", "limit"))
        assert origin.get("rpy") == "0 0 0"
        joints.append(
            UrdfJoint(
                element.get("name"),
                element.get("type"),
                element.find("parent").get("link"),
                element.find("child").get("link"),
                np.array(origin.get("xyz").split(), float),
                np.array((axis.get("xyz") if axis is not None else "0 0 0").split(), float),
                (float(limit.get("lower")), float(limit.get("upper"))) if limit is not None else (0.0, 0.0),
            )
        )
    return joints


def link_poses(joints, positions):
    """Rotation (3, 3) and place (3,) m of every link in the root link's frame; ``positions`` rad by joint name."""
    children = {joint.child for joint in joints}
    (root,) = {joint.parent for joint in joints} - children
    poses = {root: (np.eye(3), np.zeros(3))}
    for joint in joints:  # parents come first
        rotation, place = poses[joint.parent]
        turn = rotvec_to_rotmat(joint.axis * positions.get(joint.name, 0.0))
        poses[joint.child] = (rotation @ turn, place + rotation @ joint.xyz)
    return poses
