# SPDX-License-Identifier: Apache-2.0
"""CameraInfo for images that come without one: from a calibration file, or from an assumed field of view."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import yaml
from sensor_msgs.msg import CameraInfo

from hmr_ros.core.geometry.camera import focal_length

Calibration = Callable[[int, int], CameraInfo]
"""Width and height of an image in px -> its CameraInfo, without header."""


class CalibrationError(ValueError):
    """A calibration file that cannot be used."""


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
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        loaded = CameraInfo(
            width=int(content["image_width"]),
            height=int(content["image_height"]),
            distortion_model=str(content["distortion_model"]),
            d=_floats(content["distortion_coefficients"]),
            k=_floats(content["camera_matrix"]),
            r=_floats(content["rectification_matrix"]),
            p=_floats(content["projection_matrix"]),
        )
    except (OSError, yaml.YAMLError) as err:
        raise CalibrationError(f"{path}: cannot be read ({err})") from err
    except (KeyError, TypeError, ValueError, AssertionError) as err:
        raise CalibrationError(f"{path}: not a file of camera_calibration ({type(err).__name__}: {err})") from err

    def info(width: int, height: int) -> CameraInfo:
        if (width, height) != (loaded.width, loaded.height):
            raise CalibrationError(
                f"{path} calibrates {loaded.width} x {loaded.height} px, the images have {width} x {height}"
            )
        return loaded

    return info


def _floats(matrix: dict[str, object]) -> list[float]:
    data = matrix["data"]
    assert isinstance(data, list), "data is a list"
    return [float(value) for value in data]
