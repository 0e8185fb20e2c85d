# SPDX-License-Identifier: Apache-2.0
"""Checks of names that settings hold."""

from __future__ import annotations

import re


def check_namespace(name: str, namespace: str) -> None:
    """Raise ValueError, which names the setting ``name``, unless ``namespace`` is one of ROS."""
    if not re.fullmatch(r"/?[A-Za-z]\w*(/[A-Za-z]\w*)*", namespace):
        raise ValueError(f"{name}: expected a name such as /humans, got {namespace!r}")


def check_frame(name: str, frame: str) -> None:
    """Raise ValueError, which names the setting ``name``, unless ``frame`` is a frame of TF or empty."""
    if not re.fullmatch(r"([A-Za-z]\w*(/[A-Za-z]\w*)*)?", frame):
        raise ValueError(f"{name}: expected a frame such as odom, without a leading /, got {frame!r}")
