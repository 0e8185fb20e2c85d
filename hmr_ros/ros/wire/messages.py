# SPDX-License-Identifier: Apache-2.0
"""Bodies -> ROS messages, in the optical frame and with the header of the image."""

from __future__ import annotations

import array
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from hmr_ros.core.arrays import Bools, Floats
from hmr_ros.core.body.hand_model import SIDES
from hmr_ros.core.forecasts import Forecasts
from hmr_ros.core.hands import BodyHands
from hmr_ros.core.people import UNTRACKED, Bodies
from hmr_ros.core.skeleton import SMPL
from hmr_ros.core.temporal.forecasting import forecast_radii
from hmr_ros.core.uncertainty import LEVELS, Calibration
from hmr_ros.ros.wire.cdr import Stamp
from hmr_ros.ros.wire.types import (
    Header,
    JointState,
    Point,
    SmplBody,
    SmplBodyArray,
    SmplForecast,
    Time,
)

METRIC_FIELDS = (
    "global_orient",
    "body_pose",
    "betas",
    "joints",
    "joint_error",
    "disagreement",
    "joint_covariance",
    "root_covariance",
)
"""Fields of SmplBody that are empty where they are unknown, named as the columns of Bodies."""

HAND_POSES = tuple(f"{side}_hand_pose" for side in SIDES)
"""Fields of SmplBody with the fingers of each hand, empty where they are unknown."""
FORECAST_FIELDS = ("joints", "joint_covariance", "root_covariance")
"""The same of SmplForecast, named as the columns of Forecasts."""

NO_FRAMES: Mapping[int, str] = MappingProxyType({})
"""Frames in TF where none are published."""

_ID_LETTERS = 5
_IDS: int = 26**_ID_LETTERS
_ID_STRIDE = 7_470_119
"""Coprime to 26, so that multiplying is a bijection of the 11.9 million ids: neighbours look different."""

_ROTATION_AXES = "xyz"


@dataclass(frozen=True)
class Origin:
    """Constant fields of SmplBodyArray: names of method and body model, and the calibration of covariances."""

    method: str
    body_model: str
    calibration: Calibration | None = None


def person_name(track_id: int) -> str:
    """Five lower-case letters for a track, unique for the first 11.9 million tracks of a session.

    The length is what ROS4HRI's RViz plugins expect at the end of a frame name.
    """
    number = person_number(track_id)
    letters = []
    for _ in range(_ID_LETTERS):
        number, letter = divmod(number, 26)
        letters.append(chr(ord("a") + letter))
    return "".join(letters)


def kept_id(text: str) -> int:
    """The track id of a person whom another node calls ``text``; UNTRACKED for "" and "-1".

    Five lower-case letters are the name of that id; any other text has a number, and so a name, of its own.

    >>> person_name(kept_id("hello")), kept_id(""), kept_id("17") == kept_id("17")
    ('hello', -1, True)
    """
    if text in ("", "-1"):
        return UNTRACKED
    if not re.fullmatch(f"[a-z]{{{_ID_LETTERS}}}", text):
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % _IDS
    return track_id(text)


def person_number(track_id: int) -> int:
    """The name of a person as a number to the base of 26, a = 0, first letter first: the ``id`` of markers."""
    return track_id * _ID_STRIDE % _IDS


def track_id(name: str) -> int:
    """The track that ``person_name`` gives ``name``, among the first 11.9 million."""
    number: int = sum((ord(letter) - ord("a")) * 26**place for place, letter in enumerate(name))
    inverse: int = pow(_ID_STRIDE, -1, _IDS)
    return number * inverse % _IDS


def header(stamp: Stamp, frame_id: str) -> Header:
    """The header of an image and of every message about it."""
    return Header(stamp=Time(sec=stamp.sec, nanosec=stamp.nanosec), frame_id=frame_id)


def point(xyz: Floats) -> Point:
    """``xyz`` (3,) m as a message."""
    x, y, z = xyz.tolist()
    return Point(x=x, y=y, z=z)


def smpl_body_array(
    image_header: Header, bodies: Bodies, lost: Iterable[int], origin: Origin, frames: Mapping[int, str] = NO_FRAMES
) -> SmplBodyArray:
    """All ``bodies`` of an image, and a last entry of state LOST for each id in ``lost``.

    ``frames``: the frames in TF of those who have one, by id.
    """
    message = SmplBodyArray(
        header=image_header, method=origin.method, body_model=origin.body_model, joint_set=bodies.joint_set
    )
    if origin.calibration is not None:
        message.coverage_levels = _float32(np.array(LEVELS))
        message.joint_radii = _float32(np.array(origin.calibration.joint_radii))
        message.root_radii = _float32(np.array(origin.calibration.root_radii))
        _set_forecast_radii(message, origin.calibration, bodies.forecasts)
    columns = metric_columns(bodies)
    known = known_rows(bodies, columns)
    message.bodies = [_smpl_body(bodies, row, columns, known, frames) for row in range(len(bodies))]
    if bodies.forecasts is not None:
        of_forecasts = known_forecasts(bodies.forecasts)
        for row, body in enumerate(message.bodies):
            body.forecasts = _smpl_forecasts(bodies.forecasts, row, of_forecasts)
    message.bodies += [SmplBody(id=person_name(track_id), state=SmplBody.LOST) for track_id in lost]
    return message


def _set_forecast_radii(message: SmplBodyArray, calibration: Calibration, forecasts: Forecasts | None) -> None:
    if forecasts is None or calibration.forecast is None:
        return
    now, ahead = calibration, calibration.forecast
    message.forecast_joint_radii = _float32(forecast_radii(now.joint_radii, ahead.joint_radii, forecasts.ahead_s))
    message.forecast_root_radii = _float32(forecast_radii(now.root_radii, ahead.root_radii, forecasts.ahead_s))


def _smpl_forecasts(forecasts: Forecasts, row: int, known: dict[str, Bools]) -> list[SmplForecast]:
    """Those of the person in ``row``; none where they have no position."""
    if not known["joints"][row]:
        return []
    ahead = []
    for k, seconds in enumerate(forecasts.ahead_s):
        message = SmplForecast(ahead_s=seconds, cam_t=point(forecasts.cam_t[row, k]))
        for name, rows in known.items():
            if rows[row]:
                setattr(message, name, _float32(getattr(forecasts, name)[row, k]))
        ahead.append(message)
    return ahead


def known_forecasts(forecasts: Forecasts) -> dict[str, Bools]:
    """For each of FORECAST_FIELDS the rows (P,) in which it is known at all times."""
    columns = {name: np.isfinite(getattr(forecasts, name)) for name in FORECAST_FIELDS}
    return {name: np.asarray(column.all(tuple(range(1, column.ndim)))) for name, column in columns.items()}


def metric_columns(bodies: Bodies) -> dict[str, Floats]:
    """The values (P, ...) of METRIC_FIELDS and, where hands are looked for, of HAND_POSES; NaN: unknown."""
    columns: dict[str, Floats] = {name: getattr(bodies, name) for name in METRIC_FIELDS}
    if bodies.hands is not None:
        fingers = bodies.hands.fingers
        columns |= {name: fingers[:, side] for side, name in enumerate(HAND_POSES)}
    return columns


def known_rows(bodies: Bodies, columns: Mapping[str, Floats]) -> dict[str, Bools]:
    """For each of ``columns`` the rows (P,) in which it is known: those of valid bodies, without any NaN."""
    finite_rows = {name: np.isfinite(column).all(tuple(range(1, column.ndim))) for name, column in columns.items()}
    return {name: bodies.valid & rows for name, rows in finite_rows.items()}


def hand_numbers(hands: BodyHands) -> dict[str, Floats]:
    """The fields (P,) of SmplBody about how well hands are seen."""
    presence, errors = hands.presence, finite(hands.errors)
    return {
        f"{side}_hand_{name}": column[:, k]
        for k, side in enumerate(SIDES)
        for name, column in (("presence", presence), ("error", errors))
    }


def finite(values: Floats) -> Floats:
    """``values`` with 0 for what is unknown, for fields that a flag or a score declares unknown: JSON has no NaN."""
    return np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)


def _smpl_body(
    bodies: Bodies, row: int, columns: Mapping[str, Floats], known: Mapping[str, Bools], frames: Mapping[int, str]
) -> SmplBody:
    """The body in ``row``."""
    track_id = int(bodies.ids[row])
    body = SmplBody(
        id=person_name(track_id),
        frame=frames.get(track_id, ""),
        state=int(bodies.states[row]),
        unseen_s=float(bodies.unseen_s[row]),
        score=float(bodies.scores[row]),
        keypoints=_float32(finite(bodies.kp2d[row])),
        keypoint_scores=_float32(finite(bodies.kp2d_score[row])),
        valid=bool(bodies.valid[row]),
        cam_t=point(finite(bodies.cam_t[row])),
    )
    for name, rows in known.items():
        if rows[row]:
            setattr(body, name, _float32(columns[name][row]))
    if bodies.hands is not None:
        for name, values in hand_numbers(bodies.hands).items():
            setattr(body, name, float(values[row]))
    return body


def _float32(values: Floats) -> array.array[float]:
    """``values`` of any shape as flat float32; rclpy takes an array.array without checking every element."""
    return array.array("f", values.astype(np.float32).tobytes())


def joint_state(image_header: Header, bodies: Bodies, row: int) -> JointState:
    """The 23 joint rotations of one body as 69 positions: rotation-vector components in SMPL's axes, rad.

    They are named ``<smpl joint>_rotvec_<axis>_<id>``: SMPL's joints are ball joints, which JointState cannot express.
    """
    name = person_name(int(bodies.ids[row]))
    names = [f"{joint}_rotvec_{axis}_{name}" for joint in SMPL.joints[1:] for axis in _ROTATION_AXES]
    return JointState(header=image_header, name=names, position=bodies.body_pose[row].astype(np.float64).ravel())
