# SPDX-License-Identifier: Apache-2.0
"""A person's own URDF: the links of ROS4HRI's human_description, as long as the limbs of this person.

The description of ROS4HRI knows one body, scaled by its height; here every origin is where the SMPL joint lies in the
rest pose. So in the rest pose every link stands on its SMPL joint, and in any other hips, knees and ankles do.
"""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.geometry.rotation import quat_to_rotmat
from hmr_ros.core.ros4hri.body_frame import ROS_FROM_SMPL
from hmr_ros.core.ros4hri.hands import BONE_AFTER, HAND_JOINTS, HumanHands
from hmr_ros.core.ros4hri.joints import HUMAN_JOINTS, HumanJoint, axis_slants
from hmr_ros.core.skeleton import SMPL, SMPL_PARENTS

LINKS = ("body", *(joint.child for joint in HUMAN_JOINTS))
"""The 27 links, the root first; a link's frame is called ``<link>_<id>``."""

_SIDES = (("l", "left"), ("r", "right"))

_ATTACHED = {"r_head": "p_head", "l_y_shoulder": "l_shoulder", "r_y_shoulder": "r_shoulder"}
"""Joints at the torso, and a link with the same origin."""

LINK_ON_SMPL_JOINT = {"p_head": "head"} | {
    f"{s}_{part}": f"{side}_{part}"
    for s, side in _SIDES
    for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
}
"""Links whose origin is a joint of SMPL."""

_HEAD_CENTRE = np.array([0.015, 0.0, 0.04])
"""m from SMPL's head joint to the middle of the head, of the open body; the same within 3 mm for all its shapes."""

_HEAD_RADIUS = 0.1
_LIMB_RADIUS = 0.04
_TORSO_RADIUS = 0.1
_FINGER_RADIUS = 0.008
_SPEED_LIMIT = 15.0
"""rad/s."""
_COLOUR = "0.9 0.7 0.5 1"

_BONES = {f"{s}_{link}": f"{s}_{end}" for s in "lr" for link, end in (("shoulder", "elbow"), ("elbow", "wrist"))}
_BONES |= {f"{s}_{link}": f"{s}_{end}" for s in "lr" for link, end in (("hip", "knee"), ("knee", "ankle"))}
"""Limb links and the joint at their end."""

_ROW = {joint.name: row for row, joint in enumerate(HUMAN_JOINTS)}
_ATTACHED_ROWS = [_ROW[joint] for joint in _ATTACHED]
_ATTACHED_POINTS = [SMPL.index(LINK_ON_SMPL_JOINT[link]) for link in _ATTACHED.values()]
_HIPS, _SHOULDERS = ([SMPL.index(f"{side}_{part}") for _, side in _SIDES] for part in ("hip", "shoulder"))
_HIP_ROWS = [_ROW[f"{s}_y_hip"] for s, _ in _SIDES]

_LIMBS = (("shoulder", "elbow"), ("hip", "knee"), ("elbow", "wrist"), ("knee", "ankle"))
"""Both ends of each bone, those that slant last: of arms, then legs, as ``axis_slants`` has them."""
_BONE_STARTS, _BONE_ENDS = ([SMPL.index(f"{side}_{bone[k]}") for bone in _LIMBS for _, side in _SIDES] for k in (0, 1))
_BONE_ROWS = [_ROW[f"{s}_{end}"] for _, end in _LIMBS for s, _ in _SIDES]
_SLANTING = slice(4, 8)
_SLANTING_ROWS = _BONE_ROWS[_SLANTING]

_IS_REVOLUTE = np.array([joint.axis is not None for joint in HUMAN_JOINTS])
_AXES = np.array([joint.axis or (0, 0, 0) for joint in HUMAN_JOINTS], np.float64)


def rest_joints(world: Floats, joints: Floats) -> Floats:
    """SMPL joints of the rest pose, of bodies in any pose.

    ``world`` (P, 24, 3, 3) joint -> optical, ``joints`` (P, 24, 3) m in the optical frame. Returns (P, 24, 3) m in
    SMPL's axes, the pelvis at the origin: bones keep their lengths, so a posed body determines its shape.
    """
    bones = joints[:, 1:] - joints[:, SMPL_PARENTS[1:]]
    unturned = (bones[:, :, None] @ world[:, SMPL_PARENTS[1:]])[:, :, 0]
    rest = np.zeros((len(joints), SMPL.size, 3))
    for joint in range(1, SMPL.size):
        rest[:, joint] = rest[:, SMPL_PARENTS[joint]] + unturned[:, joint - 1]
    return rest


def joint_origins(rest: Floats) -> Floats:
    """(P, 24, 3) m of ``rest_joints`` -> (P, 26, 3) m, each of HUMAN_JOINTS in the frame of its parent link."""
    at = rest @ ROS_FROM_SMPL.T
    hips, shoulders = at[:, _HIPS].mean(1, keepdims=True), at[:, _SHOULDERS].mean(1, keepdims=True)
    out = np.zeros((len(rest), len(HUMAN_JOINTS), 3))
    out[:, _ROW["torso"]] = (shoulders - hips)[:, 0]
    out[:, _ROW["head"]] = _HEAD_CENTRE
    out[:, _ATTACHED_ROWS] = at[:, _ATTACHED_POINTS] - shoulders
    out[:, _HIP_ROWS] = at[:, _HIPS] - hips
    bones = at[:, _BONE_ENDS] - at[:, _BONE_STARTS]
    length, slants = np.sqrt((bones * bones).sum(-1)), axis_slants(rest)
    out[:, _BONE_ROWS, 2] = -length
    # Forearms and shanks slant to the left of their revolute joints; upper arms and thighs hang down straight.
    out[:, _SLANTING_ROWS, 1] = length[:, _SLANTING] * np.sin(slants)
    out[:, _SLANTING_ROWS, 2] *= np.cos(slants)
    return out


def measured_origins(origins: Floats, waist: Floats, body: Floats, joints: Floats) -> Floats:
    """``origins`` (P, 26, 3) m with shoulders and head where they are in this pose, in the frame of the leaning torso.

    Shoulders are shrugged and spines bend sideways, which the description has no joints for. With the joints' positions
    measured, all LINK_ON_SMPL_JOINT are on their SMPL joints, but for what ``human_angles`` says. ``waist`` (P,) rad;
    ``body`` (P, 3, 3) body -> optical; ``joints`` (P, 24, 3) m optical.
    """
    hips = joints[:, _HIPS].mean(1, keepdims=True)
    lean = quat_to_rotmat(np.stack([0 * waist, np.sin(waist / 2), 0 * waist, np.cos(waist / 2)], -1))
    out = origins.copy()
    out[:, _ATTACHED_ROWS] = (joints[:, _ATTACHED_POINTS] - hips) @ body @ lean - origins[:, [_ROW["torso"]]]
    return out


def joint_rotations(angles: Floats) -> Floats:
    """(P, 20) rad -> (P, 26, 4) quaternions xyzw, child -> parent link of each of HUMAN_JOINTS (fixed: identity).

    With ``joint_origins`` these are the transforms that robot_state_publisher makes of the URDF and a JointState.
    """
    half = np.zeros((len(angles), len(HUMAN_JOINTS)))
    half[:, _IS_REVOLUTE] = angles / 2
    return np.concatenate([np.sin(half)[..., None] * _AXES, np.cos(half)[..., None]], -1)


def urdf(person: str, origins: Floats, hands: HumanHands | None = None) -> str:
    """The URDF of one person, whose ``origins`` are (26, 3) m; all names end in ``_<person>``.

    ``hands`` of this person, one row, are added below the wrists.
    """
    robot = ElementTree.Element("robot", name=f"human_{person}")
    material = ElementTree.SubElement(robot, "material", name=f"skin_{person}")
    ElementTree.SubElement(material, "color", rgba=_COLOUR)
    origin_of = {joint.name: origin for joint, origin in zip(HUMAN_JOINTS, origins, strict=True)}
    for link in LINKS:
        element = ElementTree.SubElement(robot, "link", name=f"{link}_{person}")
        _add_visual(element, link, origin_of, person)
    for joint in HUMAN_JOINTS:
        _add_joint(robot, joint, origin_of[joint.name], person)
    if hands is not None:
        add_hands(robot, hands, person)
    return ElementTree.tostring(robot, encoding="unicode", xml_declaration=True)


def add_hands(robot: ElementTree.Element, hands: HumanHands, person: str) -> None:
    """Add the links and joints of both ``hands``, one row, and a cylinder along each phalanx."""
    for side, (s, _) in enumerate(_SIDES):
        revolute = iter(zip(hands.axes.axes[side], hands.axes.limits, strict=True))
        for joint, origin in zip(HAND_JOINTS, hands.origins[0, side], strict=True):
            link = ElementTree.SubElement(robot, "link", name=f"{s}_{joint.child}_{person}")
            if bone := BONE_AFTER.get(joint.child):
                _add_bone(link, hands.origins[0, side, bone], person)
            axis, limits = (None, (0.0, 0.0)) if joint.is_fixed else next(revolute)
            named = HumanJoint(f"{s}_{joint.name}", f"{s}_{joint.parent}", f"{s}_{joint.child}")
            _add_revolute(robot, named, origin, person, axis, limits)


def _add_bone(link: ElementTree.Element, bone: Floats, person: str) -> None:
    """A cylinder from the origin of ``link`` to the end of ``bone`` (3,) m."""
    x, y, z = (bone / max(float(np.linalg.norm(bone)), 1e-9)).tolist()
    length = float(np.linalg.norm(bone))
    roll, pitch = float(-np.arcsin(y)), float(np.arctan2(x, z))
    _add_shape(link, "cylinder", _cylinder(length, _FINGER_RADIUS), bone / 2, roll, person, pitch)


def _add_visual(link: ElementTree.Element, name: str, origin_of: dict[str, Floats], person: str) -> None:
    """What RViz's RobotModel shows: a cylinder along each bone, a ball for the head."""
    if name == "head":
        _add_shape(link, "sphere", {"radius": f"{_HEAD_RADIUS:g}"}, np.zeros(3), 0.0, person)
    elif name == "torso":
        height = float(origin_of["torso"][2])
        _add_shape(link, "cylinder", _cylinder(height, _TORSO_RADIUS), np.array([0, 0, -height / 2]), 0.0, person)
    elif name in _BONES:
        bone = origin_of[_BONES[name]]
        slant = float(np.arctan2(bone[1], -bone[2]))
        _add_shape(link, "cylinder", _cylinder(float(np.linalg.norm(bone)), _LIMB_RADIUS), bone / 2, slant, person)


def _cylinder(length: float, radius: float) -> dict[str, str]:
    return {"length": f"{length:.6g}", "radius": f"{radius:g}"}


def _add_shape(
    link: ElementTree.Element,
    shape: str,
    size: dict[str, str],
    centre: Floats,
    roll: float,
    person: str,
    pitch: float = 0.0,
) -> None:
    visual = ElementTree.SubElement(link, "visual")
    ElementTree.SubElement(visual, "origin", xyz=_numbers(centre), rpy=f"{roll:.6g} {pitch:.6g} 0")
    ElementTree.SubElement(ElementTree.SubElement(visual, "geometry"), shape, size)
    ElementTree.SubElement(visual, "material", name=f"skin_{person}")


def _add_joint(robot: ElementTree.Element, joint: HumanJoint, origin: Floats, person: str) -> None:
    axis = None if joint.axis is None else np.array(joint.axis, np.float64)
    _add_revolute(robot, joint, origin, person, axis, joint.limits)


def _add_revolute(
    robot: ElementTree.Element,
    joint: HumanJoint,
    origin: Floats,
    person: str,
    axis: Floats | None,
    limits_rad: tuple[float, float] | Floats,
) -> None:
    """A joint about ``axis`` (3,) within limits; fixed where the axis is None."""
    kind = "fixed" if axis is None else "revolute"
    element = ElementTree.SubElement(robot, "joint", name=f"{joint.name}_{person}", type=kind)
    ElementTree.SubElement(element, "parent", link=f"{joint.parent}_{person}")
    ElementTree.SubElement(element, "child", link=f"{joint.child}_{person}")
    ElementTree.SubElement(element, "origin", xyz=_numbers(origin), rpy="0 0 0")
    if axis is not None:
        low, high = limits_rad
        ElementTree.SubElement(element, "axis", xyz=_numbers(axis))
        limits = {"lower": f"{low:.6g}", "upper": f"{high:.6g}", "effort": "1000", "velocity": f"{_SPEED_LIMIT:g}"}
        ElementTree.SubElement(element, "limit", limits)


def _numbers(values: Floats) -> str:
    """(N,) numbers as URDF writes them."""
    return " ".join(f"{float(value):.6g}" for value in values)
