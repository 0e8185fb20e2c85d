# SPDX-License-Identifier: Apache-2.0
"""The record of a calibrated camera, and the ways to make one."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.calibration_file import CalibrationError, read_calibration
from hmr_ros.core.plausibility import implausibility
from hmr_ros.core.records import check_shape

DISTORTION_SIZES = {
    "plumb_bob": (4, 5, 8, 12, 14),
    "rational_polynomial": (8, 12, 14),
    "equidistant": (4,),
    "fisheye": (4,),
}
"""Numbers of coefficients that each distortion model may have; OpenCV's longer ones begin as plumb_bob."""

FISHEYE = ("equidistant", "fisheye")
"""Models whose coefficients may all be zero, and the lens is no pinhole all the same."""


def distortion(model: str, D: Floats) -> tuple[str, Floats]:
    """The distortion model and coefficients of a raw image, as ``Camera`` takes them.

    Zeros at the end are ignored beyond the numbers that the model may have; zeros alone are a pinhole under any name
    but a fisheye's. Raises ValueError for a fisheye lens without coefficients.
    """
    if model in FISHEYE and D.size == 0:
        raise ValueError(
            f"D is empty, but the model is {model!r}: give its 4 coefficients (zeros for an ideal fisheye lens), or, "
            "where images are rectified, set rectified to always"
        )
    if model not in FISHEYE and not D.any():
        return "plumb_bob", np.zeros(0)
    needed = int(np.flatnonzero(D).max(initial=-1)) + 1
    sizes = [size for size in DISTORTION_SIZES.get(model, ()) if needed <= size <= D.size]
    return model, D[: max(sizes)] if sizes else D


def focal_length(field_of_view_deg: float, width: int, height: int) -> float:
    """The focal length in px of a pinhole camera whose longer image side, in px, spans the angle.

    >>> round(focal_length(90, width=640, height=480))
    320
    """
    return max(width, height) / 2 / math.tan(math.radians(field_of_view_deg) / 2)


@dataclass(frozen=True, eq=False)
class Camera:
    """A calibrated camera.

    ``K`` (3, 3) in px of an image ``width`` x ``height``; ``D`` distortion coefficients in the order of
    sensor_msgs/CameraInfo for ``distortion_model``: "plumb_bob" (4 or 5), "rational_polynomial" (8, 12 or 14: with thin
    prism, with tilt) or "equidistant", also called "fisheye" (4). An empty ``D`` is a rectified camera.

    >>> camera = Camera.pinhole(f=600, width=1280, height=720)
    >>> print(camera.K)  # the centre of the first pixel is (0, 0)
    [[600.    0.  639.5]
     [  0.  600.  359.5]
     [  0.    0.    1. ]]
    """

    K: Floats
    width: int
    height: int
    distortion_model: str = "plumb_bob"
    D: Floats = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        check_shape(self, "K", (3, 3))
        check_shape(self, "D", (None,))
        if not (np.isfinite(self.K).all() and self.K[0, 0] > 0 and self.K[1, 1] > 0):
            raise ValueError(f"Camera.K: focal lengths must be positive and finite, got K = {self.K.tolist()}")
        if self.width <= 0 or self.height <= 0:
            raise ValueError(f"Camera: expected a positive image size, got {self.width} x {self.height}")
        sizes = DISTORTION_SIZES.get(self.distortion_model, ())
        if self.D.size and self.D.size not in sizes:
            known = "; ".join(f"{model}: {' or '.join(map(str, n))}" for model, n in DISTORTION_SIZES.items())
            raise ValueError(f"Camera: {self.D.size} coefficients of {self.distortion_model!r}; expected {known}")
        if not np.isfinite(self.D).all():
            raise ValueError(f"Camera.D: expected finite coefficients, got {self.D.tolist()}")

    @staticmethod
    def pinhole(f: float, width: int, height: int) -> Camera:
        """A camera without distortion: focal length ``f`` px, square pixels, principal point in the centre."""
        cx, cy = (width - 1) / 2, (height - 1) / 2
        return Camera(np.array([[f, 0.0, cx], [0.0, f, cy], [0.0, 0.0, 1.0]]), width, height)

    @staticmethod
    def from_fov(degrees: float, width: int, height: int) -> Camera:
        """A pinhole camera whose longer image side spans ``degrees``: for images without a calibration.

        A webcam has about 55, a phone about 65. Distances scale with what is assumed here.

        >>> round(Camera.from_fov(60, width=1280, height=720).K[0, 0])
        1109

        Raises ValueError for an angle that is not between 0 and 180.
        """
        if not 0 < degrees < 180:
            raise ValueError(f"Camera.from_fov: expected degrees between 0 and 180, got {degrees:g}")
        return Camera.pinhole(focal_length(degrees, width, height), width, height)

    @staticmethod
    def from_yaml(path: str | Path) -> Camera:
        """The raw camera (K, D) of a YAML file that ROS's camera_calibration wrote.

        >>> Camera.from_yaml("samples/crossing.yaml").width
        768

        Raises CalibrationError, a ValueError, for a file that cannot be read or is no calibration, and for
        a camera matrix that cannot be of images of its size.
        """
        calibration = read_calibration(Path(path))
        try:
            model, D = distortion(calibration.distortion_model, np.array(calibration.D))
            camera = Camera(
                np.array(calibration.K).reshape(3, 3),
                calibration.width,
                calibration.height,
                model,
                D,
            )
        except ValueError as err:
            raise CalibrationError(f"{path}: {err}") from err
        if problem := implausibility(camera.K, camera.width, camera.height):
            raise CalibrationError(f"{path}: camera_matrix: {problem}")
        return camera
