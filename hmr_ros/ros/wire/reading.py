# SPDX-License-Identifier: Apache-2.0
"""SmplBodyArray -> bodies, as whoever receives it gets them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.body.finger_skin import with_fingers
from hmr_ros.core.body.hand_model import SIDES
from hmr_ros.core.body.posing import with_meshes
from hmr_ros.core.forecasts import Forecasts
from hmr_ros.core.hands import BodyHands
from hmr_ros.core.people import Bodies, State
from hmr_ros.core.skeleton import JOINT_SETS, SMPL
from hmr_ros.ros.wire.messages import HAND_POSES
from hmr_ros.ros.wire.types import SmplBody, SmplBodyArray, SmplForecast


def bodies_from_message(message: SmplBodyArray, body_model: BodyModel) -> tuple[Bodies, tuple[str, ...]]:
    """The bodies of a message, posed again from their SMPL parameters and fingers, and their names; without lost
    people.

    ``ids`` are the rows, as the names in the message are not numbers.
    """
    bodies, names = parameters_from_message(message)
    return with_fingers(with_meshes(bodies, body_model), body_model), names


def parameters_from_message(message: SmplBodyArray) -> tuple[Bodies, tuple[str, ...]]:
    """As ``bodies_from_message``, without meshes: ``vertices`` are (P, 0, 3)."""
    present = [body for body in message.bodies if body.state != State.LOST]
    J = JOINT_SETS[message.joint_set].size
    valid = np.array([body.valid for body in present], np.bool_)

    def stacked(values: list[Floats], *shape: int) -> Floats:
        return np.array(values, np.float32).reshape(len(present), *shape)

    def metric(name: str, *shape: int) -> Floats:
        """The field ``name``, NaN where it is empty."""
        rows = [getattr(body, name) for body in present]
        return stacked([np.array(row) if len(row) else np.full(shape, np.nan).ravel() for row in rows], *shape)

    bodies = Bodies(
        ids=np.arange(len(present)),
        states=np.array([body.state for body in present], np.uint8),
        unseen_s=stacked([np.array(body.unseen_s) for body in present]),
        scores=stacked([np.array(body.score) for body in present]),
        kp2d=stacked([np.array(body.keypoints) for body in present], J, 2),
        kp2d_score=stacked([np.array(body.keypoint_scores) for body in present], J),
        joint_set=message.joint_set,
        global_orient=metric("global_orient", 3),
        body_pose=metric("body_pose", 23, 3),
        betas=metric("betas", 10),
        cam_t=stacked([_position(body) for body in present], 3),
        joints=metric("joints", 24, 3),
        vertices=np.zeros((len(present), 0, 3), np.float32),
        joint_error=metric("joint_error", 24),
        disagreement=metric("disagreement", 24),
        joint_covariance=metric("joint_covariance", 24, 3, 3),
        root_covariance=metric("root_covariance", 3, 3),
        valid=valid,
        hands=_hands(present),
        forecasts=_forecasts(present),
    )
    return bodies, tuple(body.id for body in present)


def _hands(present: list[SmplBody]) -> BodyHands | None:
    """The hands of the people ``present``, as far as messages have them; None where none was seen or moved."""
    poses = [[getattr(body, name) for name in HAND_POSES] for body in present]
    presence = [[body.left_hand_presence, body.right_hand_presence] for body in present]
    if not any(len(pose) for pair in poses for pose in pair) and not np.any(presence):
        return None
    fingers = np.full((len(present), 2, 15, 3), np.nan, np.float32)
    errors = np.full((len(present), 2), np.nan, np.float32)
    for row, side in np.ndindex(*errors.shape):
        if len(poses[row][side]):
            fingers[row, side] = np.reshape(poses[row][side], (15, 3))
        if presence[row][side] > 0:
            errors[row, side] = getattr(present[row], f"{SIDES[side]}_hand_error")
    return BodyHands.recorded(np.array(presence, np.float32), fingers, errors)


def _forecasts(present: Sequence[SmplBody]) -> Forecasts | None:
    """Those of all people, NaN of those who have none; None where none has any."""
    times = next((tuple(ahead.ahead_s for ahead in body.forecasts) for body in present if body.forecasts), ())
    if not times:
        return None

    def column(of: Callable[[SmplForecast], Sequence[float]], *shape: int) -> Floats:
        rows = np.full((len(present), len(times), *shape), np.nan, np.float32)
        for row, body in enumerate(present):
            for k, ahead in enumerate(body.forecasts):
                if len(values := of(ahead)):
                    rows[row, k] = np.array(values).reshape(shape)
        return rows

    return Forecasts(
        cam_t=column(lambda ahead: (ahead.cam_t.x, ahead.cam_t.y, ahead.cam_t.z), 3),
        joints=column(lambda ahead: ahead.joints, SMPL.size, 3),
        joint_covariance=column(lambda ahead: ahead.joint_covariance, SMPL.size, 3, 3),
        root_covariance=column(lambda ahead: ahead.root_covariance, 3, 3),
        ahead_s=times,
    )


def _position(body: SmplBody) -> Floats:
    """(3,) m of the pelvis, NaN where it is unknown."""
    return np.array([body.cam_t.x, body.cam_t.y, body.cam_t.z]) if body.valid else np.full(3, np.nan)
