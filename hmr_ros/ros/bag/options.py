# SPDX-License-Identifier: Apache-2.0
"""What is asked of a run over a recording, and the node's parameters as text, NAME:=VALUE, without rclpy."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

import yaml

from hmr_ros.core.config import RobotConfig
from hmr_ros.core.settings import Value, updated
from hmr_ros.media.sources import Excerpt
from hmr_ros.recording.process import Cameras

MESH_FACES = 1000
"""Triangles of each body in the mesh of a recording: 72 kB for each body in each image. The node's default
is four times as many."""


@dataclass(frozen=True, eq=False)
class Options:
    """What to do with a recording: which ``images`` topics and ``depth`` to read, with ``config`` as of a node.

    ``assumed`` is the camera of images without calibration, or, where ``is_given``, of all images. ``merges``: the
    result holds the messages of the recording, too. ``saved``: words of recording.saving.
    """

    images: Sequence[str]
    depth: str
    merges: bool
    config: RobotConfig
    excerpt: Excerpt
    assumed: Cameras
    is_given: bool
    saved: Set[str]
    mesh_every: int | None = None


def config_of(settings: dict[str, Value], parameters: Sequence[str]) -> RobotConfig:
    """The node's parameters with ``settings``, then ``parameters``, each as NAME:=VALUE. Raises ValueError."""
    values: dict[str, Value] = {"mesh_faces": MESH_FACES} | settings
    for text in parameters:
        name, separator, value = text.partition(":=")
        if not (name and separator):
            raise ValueError(f"-p: expected NAME:=VALUE, got {text!r}")
        try:
            values[name] = yaml.safe_load(value) if value else ""
        except yaml.YAMLError as err:
            raise ValueError(f"-p {text}: not a value ({err})") from err
    return updated(RobotConfig(), values)
