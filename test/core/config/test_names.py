# SPDX-License-Identifier: Apache-2.0
"""Frames that settings name."""

import pytest

from hmr_ros.core.config import RobotConfig


@pytest.mark.parametrize("frame", ["", "odom", "robot/base_link", "base_link2"])
def test_names_of_frames_are_taken(frame: str):
    assert RobotConfig(target_frame=frame).target_frame == frame


@pytest.mark.parametrize("frame", ["/odom", "odom/", "2d", "two words", "a//b"])
def test_what_is_no_frame_is_refused_with_its_parameter(frame: str):
    with pytest.raises(ValueError, match="target_frame: expected a frame such as odom"):
        RobotConfig(target_frame=frame)
