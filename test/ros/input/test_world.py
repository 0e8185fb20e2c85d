# SPDX-License-Identifier: Apache-2.0
"""The camera in the world by TF: what the transform says, and why there is none."""

from types import SimpleNamespace

from hmr_ros.core.config import RobotConfig
from hmr_ros.core.geometry.frames import NoTransformError, Transform
from hmr_ros.ros.input.world import world_input
from hmr_ros.ros.wire.cdr import Stamp

CONFIG = RobotConfig(world_frame="odom", tf_timeout_s=0.02)
FRAME = SimpleNamespace(frame_id="camera_optical", stamp=Stamp(7, 5))


class Frames:
    """In place of TF."""

    def __init__(self):
        self.asked, self.answer = [], Transform.identity()

    def lookup(self, *asked):
        self.asked.append(asked)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_the_world_is_looked_up_at_the_stamp_of_the_image():
    source = world_input(Frames(), "odom")
    assert source.of(FRAME, CONFIG) is Transform.identity()
    assert source._frames.asked == [("odom", "camera_optical", Stamp(7, 5), 0.02)]
    assert source.problem == ""


def test_without_a_world_the_problem_says_why_until_there_is_one():
    source = world_input(Frames(), "odom")
    source._frames.answer = NoTransformError("odom and camera are not connected in TF")
    assert source.of(FRAME, CONFIG) is None
    assert source.problem == "the camera counts as still: world_frame 'odom': odom and camera are not connected in TF"
    source._frames.answer = Transform.identity()
    assert source.of(FRAME, CONFIG) is not None
    assert source.problem == ""


def test_no_frame_is_no_input():
    assert world_input(Frames(), "") is None
