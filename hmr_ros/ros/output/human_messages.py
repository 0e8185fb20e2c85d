# SPDX-License-Identifier: Apache-2.0
"""Humans -> messages of ROS4HRI (REP-155). hri_msgs is imported only where it is installed."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.people import Bodies
from hmr_ros.core.ros4hri.gestures import Gesture
from hmr_ros.core.ros4hri.hands import HAND_REVOLUTES
from hmr_ros.core.ros4hri.joints import REVOLUTE_JOINTS
from hmr_ros.core.ros4hri.motion import Humans
from hmr_ros.core.skeleton import COCO, JOINT_SETS, convert_keypoints
from hmr_ros.ros.wire.interfaces import HUMANS
from hmr_ros.ros.wire.messages import person_name
from hmr_ros.ros.wire.types import Header, JointState, Point, PointStamped, Twist, TwistStamped, Vector3


@dataclass(frozen=True)
class HriTypes:
    """The message classes of hri_msgs."""

    ids_list: Any
    region: Any
    point: Any
    skeleton: Any
    gesture: Any

    @staticmethod
    @functools.cache
    def imported() -> HriTypes:
        """Those of the installed hri_msgs."""
        names = ("IdsList", "NormalizedRegionOfInterest2D", "NormalizedPointOfInterest2D", "Skeleton2D", "Gesture")
        return HriTypes(*(HUMANS.message(name) for name in names))


def region(types: HriTypes, header: Header, box: Floats, width: int, height: int, score: float) -> Any:
    """The part of ``box`` (4,) x1 y1 x2 y2 px that lies in the image, as fractions of ``width`` and ``height`` px."""
    x1, y1, x2, y2 = np.clip(box / [width, height, width, height], 0, 1).tolist()
    return types.region(header=header, xmin=x1, ymin=y1, xmax=x2, ymax=y2, c=score)


def skeletons(types: HriTypes, header: Header, bodies: Bodies, width: int, height: int) -> list[Any]:
    """The detected keypoints of each body, as fractions of the image's size; confidence 0 for those outside of it."""
    kp2d, scores = convert_keypoints(bodies.kp2d, bodies.kp2d_score, JOINT_SETS[bodies.joint_set], COCO)
    fractions = kp2d / [width, height]
    inside = np.all((fractions >= 0) & (fractions <= 1), -1)
    scores, fractions = np.where(inside, scores, 0), np.where(inside[..., None], fractions, 0)
    return [
        _skeleton(types, header, points, confidences) for points, confidences in zip(fractions, scores, strict=True)
    ]


def _skeleton(types: HriTypes, header: Header, points: Floats, confidences: Floats) -> Any:
    """One Skeleton2D from COCO ``points`` (17, 2) as fractions of the image's size and ``confidences`` (17,)."""
    message = types.skeleton(header=header)
    for joint, (x, y), c in zip(COCO.joints, points.tolist(), confidences.tolist(), strict=True):
        # By the names of the constants: their order is OpenPose's, but for left and right of eyes and ears.
        index = getattr(types.skeleton, joint.upper(), None)
        if index is not None:  # there is no PELVIS
            message.skeleton[index] = types.point(x=x, y=y, c=min(max(c, 0.0), 1.0))
    return message


def joint_state(header: Header, humans: Humans, row: int) -> JointState:
    """Angles of the URDF's revolute joints of person ``row``, rad; rates in rad/s from the second image on."""
    name = person_name(int(humans.ids[row]))
    rates = humans.angle_rates[row]
    return JointState(
        header=header,
        name=[f"{revolute.name}_{name}" for revolute in REVOLUTE_JOINTS],
        position=humans.angles[row].tolist(),
        velocity=rates.tolist() if np.isfinite(rates).all() else [],
    )


def hand_joint_state(header: Header, humans: Humans, row: int, side: int) -> JointState:
    """Angles of the revolute joints of a hand of person ``row``, rad: 0 left, 1 right. Where it is known."""
    assert humans.hands is not None, "only people whose hands are looked for"
    name = person_name(int(humans.ids[row]))
    return JointState(
        header=header,
        name=[f"{'lr'[side]}_{revolute.name}_{name}" for revolute in HAND_REVOLUTES],
        position=humans.hands.angles[row, side].tolist(),
    )


def gesture(types: HriTypes, header: Header, made: Gesture) -> Any:
    """The gesture that a person makes."""
    return types.gesture(header=header, gesture=int(made))


def position(header: Header, humans: Humans, row: int) -> PointStamped:
    """Position of the body frame of person ``row``: the middle of the hips, m, in the optical frame."""
    x, y, z = humans.places[row].tolist()
    return PointStamped(header=header, point=Point(x=x, y=y, z=z))


def velocity(header: Header, humans: Humans, row: int) -> TwistStamped:
    """Velocity of the body frame of person ``row``, m/s and rad/s, in that frame, as hri_body_detect has it.

    The frame is ``body_<id>``: x forward, y to the left, z to the head. NaN in the first image.
    """
    to_body = humans.orientations[row].T
    x, y, z = (to_body @ humans.velocities[row]).tolist()
    wx, wy, wz = (to_body @ humans.angular_velocities[row]).tolist()
    twist = Twist(linear=Vector3(x=x, y=y, z=z), angular=Vector3(x=wx, y=wy, z=wz))
    frame_id = f"body_{person_name(int(humans.ids[row]))}"
    return TwistStamped(header=Header(stamp=header.stamp, frame_id=frame_id), twist=twist)
