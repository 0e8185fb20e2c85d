# SPDX-License-Identifier: Apache-2.0
"""A track as a recording, .mcap: /joint_states, /robot_description and /tf, for robot_state_publisher and RViz."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np

from hmr_ros.core.manifest import atomic_path
from hmr_ros.motion.joints_file import JOINTS, JointMotion
from hmr_ros.motion.track import Track
from hmr_ros.ros.bag.recording import Record, Topic
from hmr_ros.ros.bag.result import Result
from hmr_ros.ros.wire.cdr import Stamp
from hmr_ros.ros.wire.encoding import serialise
from hmr_ros.ros.wire.messages import header
from hmr_ros.ros.wire.types import JointState, String, message_class

WORLD = "world"
_BEGAN_NS = 1_000_000_000
"""Time of the first frame: a stamp of 0 means now to some."""

_DESCRIPTION = Topic("/robot_description", "std_msgs/msg/String")
_STATES = Topic("/joint_states", "sensor_msgs/msg/JointState")
_TF = Topic("/tf", "tf2_msgs/msg/TFMessage")


def write_recording(path: Path, track: Track, motion: JointMotion) -> None:
    """Write ``track`` to ``path``; joints and frames are called as in the person's URDF."""
    with atomic_path(path) as temporary, contextlib.closing(Result(temporary)) as result:
        result.write(_DESCRIPTION, Record(_DESCRIPTION.name, _BEGAN_NS, serialise(String(data=motion.urdf))))
        for frame, time_s in enumerate(track.times):
            now_ns = _BEGAN_NS + round(time_s * 1e9)
            stamp = Stamp(*divmod(now_ns, 1_000_000_000))
            result.write(_TF, Record(_TF.name, now_ns, _root(track, motion, frame, stamp)))
            result.write(_STATES, Record(_STATES.name, now_ns, _states(track, motion, frame, stamp)))


def _states(track: Track, motion: JointMotion, frame: int, stamp: Stamp) -> bytes:
    names = [f"{joint}_{track.name}" for joint in JOINTS]
    rates = np.gradient(motion.angles, 1 / track.fps, axis=0)[frame]
    state = JointState(header=header(stamp, ""), name=names, position=motion.angles[frame].tolist())
    state.velocity = rates.tolist()
    return serialise(state)


def _root(track: Track, motion: JointMotion, frame: int, stamp: Stamp) -> bytes:
    transform = message_class("geometry_msgs", "TransformStamped")()
    transform.header, transform.child_frame_id = header(stamp, WORLD), f"body_{track.name}"
    place, quat = transform.transform.translation, transform.transform.rotation
    place.x, place.y, place.z = motion.places[frame].tolist()
    quat.x, quat.y, quat.z, quat.w = motion.quats[frame].tolist()
    return serialise(message_class("tf2_msgs", "TFMessage")(transforms=[transform]))
