# SPDX-License-Identifier: Apache-2.0
"""The camera of images that say nothing about it: calibrated by a file, or assumed from a field of view."""

from __future__ import annotations

from pathlib import Path

from hmr_ros.core.camera import Camera
from hmr_ros.core.geometry.camera import ASSUMED_FIELD_OF_VIEW_DEG
from hmr_ros.recording.process import Cameras


def cameras_of(camera_info: Path | None, fov_deg: float | None) -> Cameras:
    """The camera of an image by its size: of the file ``camera_info``, or with ``fov_deg``, None: the usual angle.

    Raises CalibrationError or ValueError, for a file or an angle that is none.
    """
    if camera_info is None:
        degrees = ASSUMED_FIELD_OF_VIEW_DEG if fov_deg is None else fov_deg
        Camera.from_fov(degrees, 1, 1)  # a wrong angle is refused now
        return lambda width, height: Camera.from_fov(degrees, width, height)
    calibrated = Camera.from_yaml(camera_info)

    def of_size(width: int, height: int) -> Camera:
        if (width, height) != (calibrated.width, calibrated.height):
            raise ValueError(
                f"{camera_info} calibrates {calibrated.width} x {calibrated.height} px, an image has "
                f"{width} x {height}: give the calibration of this camera, or --fov"
            )
        return calibrated

    return of_size
