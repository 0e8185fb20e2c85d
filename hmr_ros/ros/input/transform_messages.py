# SPDX-License-Identifier: Apache-2.0
"""Serialised messages of /tf and /tf_static -> a FrameTree."""

from __future__ import annotations

import re

import numpy as np

from hmr_ros.core.arrays import Float64s
from hmr_ros.core.geometry.frames import FrameTree, Pose
from hmr_ros.ros.input.frame_names import bare_frame
from hmr_ros.ros.wire.cdr import CdrReader

_OFF_UNIT = 1e-2
"""Largest deviation of the square of a quaternion's length from 1, as in tf2."""

_PERSON = re.compile(r"body_([a-z]{5}|[a-z]{4}_\d+)")
"""Frames of people by their ids or from a pool (output/person_frames.py). A robot may call one ``body_frame``."""


def read_transforms(tree: FrameTree, data: bytes, *, is_static: bool) -> str:
    """Add the transforms of a serialised TFMessage to ``tree``; returns which were ignored. Raises CdrError."""
    reader, ignored = CdrReader(data), ""
    for _ in range(reader.uint32()):
        stamp, parent, child = reader.stamp(), bare_frame(reader.string()), bare_frame(reader.string())
        if not is_static and _PERSON.fullmatch(child) and not tree.is_parent(child):
            return ignored  # this node's own message of people, up to 60 times a second: no camera is below them
        numbers = reader.doubles(7)
        if _is_transform(parent, child, numbers):
            tree.add(parent, child, stamp.nanoseconds, Pose(numbers[:3], numbers[3:]), is_static=is_static)
        else:
            ignored = f"transform from {child!r} to {parent!r} is ignored: it is none ({numbers.tolist()})"
    return ignored


def _is_transform(parent: str, child: str, numbers: Float64s) -> bool:
    """Whether tf2 would take it: two frames, finite numbers (7,), and a quaternion of length 1."""
    quat = numbers[3:]
    if not (parent and child and parent != child and np.isfinite(numbers).all() and np.abs(quat).max() < 2):
        return False
    return bool(abs(quat @ quat - 1) < _OFF_UNIT)
