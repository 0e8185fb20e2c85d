# SPDX-License-Identifier: Apache-2.0
"""Names of frames as tf2 has them."""

from __future__ import annotations


def bare_frame(frame: str) -> str:
    """``frame`` without the leading slash of ROS 1, which some drivers still write and tf2 refuses."""
    return frame.removeprefix("/")
