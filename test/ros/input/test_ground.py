# SPDX-License-Identifier: Apache-2.0
"""The ground below the camera by TF: what the transform says, and why there is none."""

from types import SimpleNamespace

import numpy as np
import pytest

from hmr_ros.core.config import RobotConfig
from hmr_ros.core.geometry.frames import NoTransformError, Transform
from hmr_ros.ros.input.ground import ground_input
from hmr_ros.ros.wire.cdr import Stamp

CONFIG = RobotConfig(
    ground_frame="base_footprint", ground_height_deviation_m=0.03, ground_tilt_deviation_deg=2.0, tf_timeout_s=0.02
)
FRAME = SimpleNamespace(frame_id="camera_optical", stamp=Stamp(7, 5))
LEVEL = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])


class Frames:
    """In place of TF."""

    def __init__(self):
        self.asked = []
        self.answer = Transform(LEVEL, np.array([0.1, 0, 1.2]))

    def lookup(self, *asked):
        self.asked.append(asked)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def source():
    return ground_input(Frames(), "base_footprint")


def test_the_ground_is_that_of_the_frame_at_the_stamp_of_the_image(source):
    ground = source.of(FRAME, CONFIG)
    assert source._frames.asked == [("base_footprint", "camera_optical", Stamp(7, 5), 0.02)]
    assert ground.height_m == 1.2
    np.testing.assert_allclose(ground.up, [0, -1, 0])
    below = np.array([0, 1.2, 0])
    assert ground.deviation(below) == pytest.approx(0.03)
    assert ground.deviation(below + [0, 0, 4]) == pytest.approx(np.hypot(0.03, 4 * np.deg2rad(2)))
    assert source.problem == ""


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (NoTransformError("map and camera are not connected in TF"), "not connected in TF"),
        (Transform(LEVEL, np.array([0, 0, -0.3])), "z up, and its origin on the floor"),
    ],
)
def test_without_a_ground_the_problem_says_why_until_there_is_one(source, answer, problem):
    good, source._frames.answer = source._frames.answer, answer
    assert source.of(FRAME, CONFIG) is None
    assert source.problem.startswith("no ground: ground_frame 'base_footprint': ")
    assert problem in source.problem
    source._frames.answer = good
    assert source.of(FRAME, CONFIG) is not None
    assert source.problem == ""
