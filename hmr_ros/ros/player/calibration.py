# SPDX-License-Identifier: Apache-2.0
"""CameraInfo for images without one: from a calibration file, or from an assumed focal length or field of view."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sensor_msgs.msg import CameraInfo

from hmr_ros.core.calibration_file import CalibrationError, read_calibration
from hmr_ros.core.camera import focal_length

Calibration = Callable[[int, int], CameraInfo]
"""Width and height of an image in px -> its CameraInfo, without header."""


def from_focal_length(focal_px: float) -> Calibration:
    """A pinhole camera: square pixels, the principal point in the centre, no distortion."""

    def info(width: int, height: int) -> CameraInfo:
        cx, cy = (width - 1) / 2, (height - 1) / 2
        return CameraInfo(
            width=width,
            height=height,
            distortion_model="plumb_bob",
            d=[0.0] * 5,
            k=[focal_px, 0.0, cx, 0.0, focal_px, cy, 0.0, 0.0, 1.0],
            r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
            p=[focal_px, 0.0, cx, 0.0, 0.0, focal_px, cy, 0.0, 0.0, 0.0, 1.0, 0.0],
        )

    return info


def from_field_of_view(degrees: float) -> Calibration:
    """A pinhole camera whose longer image side spans an angle of ``degrees``."""

    def info(width: int, height: int) -> CameraInfo:
        return from_focal_length(focal_length(degrees, width, height))(width, height)

    return info


def from_file(path: Path) -> Calibration:
    """The YAML file that ROS's camera_calibration writes. Raises CalibrationError, also for images of another size."""
    content = read_calibration(path)
    loaded = CameraInfo(
        width=content.width,
        height=content.height,
        distortion_model=content.distortion_model,
        d=list(content.D),
        k=list(content.K),
        r=list(content.R),
        p=list(content.P),
    )

    def info(width: int, height: int) -> CameraInfo:
        if (width, height) != (loaded.width, loaded.height):
            raise CalibrationError(
                f"{path} calibrates {loaded.width} x {loaded.height} px, the images have {width} x {height}"
            )
        return loaded

    return info
