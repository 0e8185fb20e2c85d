# SPDX-License-Identifier: Apache-2.0
"""The ground as a plane: where it is, how well it is known, and which planes are none."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.core.geometry.frames import Transform
from hmr_ros.core.geometry.ground import Ground
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat

LEVEL = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
"""Optical axes of a level camera -> x forward, y left, z up."""


def looking_down(pitch=0.2, height=1.3):
    """A frame on the floor <- the optical frame of a camera above it."""
    return Transform(LEVEL @ rotvec_to_rotmat(np.array([-pitch, 0, 0])), np.array([0.4, -0.2, height]))


def test_the_ground_is_the_plane_z_0_of_its_frame():
    frame = looking_down()
    ground = Ground.of_frame(frame, 0.02, 0.01)
    points = np.random.default_rng(0).normal(size=(5, 3))
    assert_allclose(ground.elevation(points), frame(points)[:, 2])
    assert ground.height_m == pytest.approx(1.3)
    assert ground.tilt_rad == pytest.approx(0.2)
    assert str(ground) == "1.30 m below the camera, which looks 11.5 degrees down"


def test_heights_are_as_uncertain_as_the_tilt_makes_them_with_the_distance():
    frame = looking_down()
    ground = Ground.of_frame(frame, 0.03, 0.02)
    on_floor = frame.inverse()(np.array([[0.4, -0.2, 0], [4.4, -0.2, 0], [0.4, 2.8, 0]]))
    assert_allclose(ground.deviation(on_floor), np.hypot(0.03, [0, 4 * 0.02, 3 * 0.02]), rtol=1e-6)


def test_stated_deviations_are_those_of_random_planes():
    rng = np.random.default_rng(1)
    ground = Ground.of_frame(looking_down(), 0.03, 0.02)
    point = ground.up * -ground.height_m + np.cross(ground.up, [1, 0, 0]) * 5
    heights = []
    for tilt, higher in zip(0.02 * rng.normal(size=(2000, 3)), 0.03 * rng.normal(size=2000), strict=True):
        level = tilt - tilt @ ground.up * ground.up
        heights.append(point @ rotvec_to_rotmat(level) @ ground.up + ground.height_m + higher)
    assert np.std(heights) == pytest.approx(ground.deviation(point), rel=0.06)


@pytest.mark.parametrize("height", [0.04, 0.0, -1.0, np.nan, np.inf])
def test_a_camera_that_is_not_above_the_ground_is_refused_with_the_remedy(height):
    with pytest.raises(ValueError, match="z up, and its origin on the floor"):
        Ground.of_frame(looking_down(height=height), 0.02, 0.01)


def test_a_normal_has_unit_length():
    with pytest.raises(ValueError, match="expected a unit vector"):
        Ground(np.array([0.0, -2, 0]), 1.0, np.eye(3))
    with pytest.raises(ValueError, match="covariance"):
        Ground(np.array([0.0, -1, 0]), 1.0, np.eye(2))
