# SPDX-License-Identifier: Apache-2.0
"""A track as a recording, .mcap: /joint_states, /robot_description and /tf, for robot_state_publisher and RViz."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hmr_ros.core.arrays import Float64s
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
        _write_states(result, [f"{joint}_{track.name}" for joint in JOINTS], motion.angles, track.fps)


def write_states(path: Path, names: Sequence[str], angles: Float64s, fps: float) -> None:
    """Write ``angles`` (T, N) rad of the joints ``names`` to ``path``, as /joint_states alone."""
    with atomic_path(path) as temporary, contextlib.closing(Result(temporary)) as result:
        _write_states(result, names, angles, fps)


def _write_states(result: Result, names: Sequence[str], angles: Float64s, fps: float) -> None:
    rates = np.gradient(angles, 1 / fps, axis=0)
    for frame, position in enumerate(angles):
        now_ns = _BEGAN_NS + round(frame / fps * 1e9)
        stamp = Stamp(*divmod(now_ns, 1_000_000_000))
        state = JointState(header=header(stamp, ""), name=list(names), position=position.tolist())
        state.velocity = rates[frame].tolist()
        result.write(_STATES, Record(_STATES.name, now_ns, serialise(state)))


def _root(track: Track, motion: JointMotion, frame: int, stamp: Stamp) -> bytes:
    transform = message_class("geometry_msgs", "TransformStamped")()
    transform.header, transform.child_frame_id = header(stamp, WORLD), f"body_{track.name}"
    place, quat = transform.transform.translation, transform.transform.rotation
    place.x, place.y, place.z = motion.places[frame].tolist()
    quat.x, quat.y, quat.z, quat.w = motion.quats[frame].tolist()
    return serialise(message_class("tf2_msgs", "TFMessage")(transforms=[transform]))
