# SPDX-License-Identifier: Apache-2.0
"""CameraInfo -> ``Camera`` for images of a given size, or why it cannot be used."""

from __future__ import annotations

import numpy as np

from hmr_ros.core.arrays import Float64s, Floats
from hmr_ros.core.camera import distortion
from hmr_ros.core.people import Camera
from hmr_ros.core.plausibility import implausibility
from hmr_ros.ros.wire.types import CameraInfo

_MIN_BASELINE = 1e-9
"""Smallest |P[0, 3]|, px m, that counts as the baseline of a stereo pair."""

_MAX_PX = 1e6
"""Maximum of focal length and principal point, px: a field of view below a milliradian is a mistake."""

_MAX_COEFFICIENT = 1e4
"""Maximum of distortion coefficients; those of rational polynomials are some tens."""


class BadCameraInfoError(ValueError):
    """A CameraInfo that does not calibrate the image it belongs to; the message is the reason."""


def camera_from_info(info: CameraInfo, width: int, height: int, *, rectified: bool) -> Camera:
    """The camera of an image of ``width`` x ``height`` px.

    A ``rectified`` image is projected by P (no distortion), any other by K and D. Binning and region of interest are
    applied as in image_geometry: K and P describe the full sensor. Raises BadCameraInfoError.
    """
    left, top, expected_width, expected_height = _window(info)
    if (width, height) != (expected_width, expected_height):
        raise BadCameraInfoError(
            f"it describes {expected_width} x {expected_height} px, the image has {width} x {height}; "
            "calibrate at the resolution in use"
        )
    K = _matrix(info, rectified=rectified)
    binning = np.array([max(info.binning_x, 1), max(info.binning_y, 1), 1.0])
    K = (K - np.array([[0, 0, left], [0, 0, top], [0, 0, 0]])) / binning[:, None]
    D: Floats = np.zeros(0) if rectified else np.array(info.d, np.float64)
    if not np.all(np.abs(D) <= _MAX_COEFFICIENT):
        raise BadCameraInfoError(f"D: expected finite numbers of at most {_MAX_COEFFICIENT:g}, got {D.tolist()}")
    model = "plumb_bob" if rectified else info.distortion_model or "plumb_bob"
    try:
        model, D = distortion(model, D)
        return Camera(K, width, height, model, D)
    except ValueError as err:
        raise BadCameraInfoError(str(err)) from err


def is_rectified(setting: str, image_topic: str) -> bool:
    """Whether images are rectified: by ``setting``, or by the name that image_proc gives them, image_rect*."""
    return setting == "always" or (setting == "auto" and image_topic.rpartition("/")[2].startswith("image_rect"))


def _matrix(info: CameraInfo, *, rectified: bool) -> Float64s:
    """K (3, 3) px of the full sensor: P without its last column where ``rectified``. Raises BadCameraInfoError."""
    name = "P" if rectified else "K"
    K = np.array(info.p, np.float64).reshape(3, 4)[:, :3] if rectified else np.array(info.k, np.float64).reshape(3, 3)
    if not K.any():
        raise BadCameraInfoError(f"{name} is all zero: the camera is not calibrated")
    if not (K[0, 0] > 0 and K[1, 1] > 0 and np.all(np.abs(K) <= _MAX_PX) and K[2].tolist() == [0, 0, 1]):
        raise BadCameraInfoError(
            f"{name}: expected a camera matrix (focal lengths > 0, third row 0 0 1, all finite), got {K.tolist()}"
        )
    if rectified and abs(info.p[3]) > _MIN_BASELINE:
        raise BadCameraInfoError(
            "P has a baseline (right camera of a stereo pair): positions would not be in the frame of the image; "
            "use the left camera, or the unrectified image"
        )
    # Of the whole sensor: a region of interest need not contain the principal point.
    if problem := implausibility(K, *_sensor_size(info)):
        raise BadCameraInfoError(f"{name}: {problem}")
    return K


def described_size(info: CameraInfo) -> tuple[int, int]:
    """Width and height in px of the images that ``info`` describes."""
    _, _, width, height = _window(info)
    return width, height


def _sensor_size(info: CameraInfo) -> tuple[int, int]:
    """Width and height in px of the whole sensor; at least what its region of interest needs."""
    roi = info.roi
    return max(info.width, roi.x_offset + roi.width), max(info.height, roi.y_offset + roi.height)


def _window(info: CameraInfo) -> tuple[int, int, int, int]:
    """Left, top, width and height of the image that ``info`` describes (sensor px, sensor px, image px, image px)."""
    roi = info.roi
    whole = roi.width == 0 or roi.height == 0
    width, height = (info.width, info.height) if whole else (roi.width, roi.height)
    return roi.x_offset, roi.y_offset, width // max(info.binning_x, 1), height // max(info.binning_y, 1)
