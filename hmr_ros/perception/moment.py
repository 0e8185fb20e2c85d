# SPDX-License-Identifier: Apache-2.0
"""What the steps of a pipeline know of an image besides what they make of it."""

from __future__ import annotations

from dataclasses import dataclass

from hmr_ros.core.arrays import Image
from hmr_ros.core.geometry.camera_motion import CameraPose
from hmr_ros.core.people import Camera
from hmr_ros.core.temporal.shedding import Shed


@dataclass(frozen=True, eq=False)
class Moment:
    """An ``image`` (H, W, 3) uint8 RGB, taken at ``stamp_s`` s by ``camera``; None: it is not calibrated.

    ``pose`` of the camera in the world; None: not known. ``shed`` is the work to leave out.
    """

    image: Image
    camera: Camera | None
    stamp_s: float
    pose: CameraPose | None
    shed: Shed
