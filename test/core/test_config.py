# SPDX-License-Identifier: Apache-2.0
import pytest

from hmr_ros.core.config import RobotConfig
from hmr_ros.core.settings import describe, validate


def test_the_robots_defaults_are_valid_and_documented():
    validate(RobotConfig())
    assert all(s.doc for s in describe(RobotConfig))
    with pytest.raises(ValueError, match="max_people: expected 1 to 32"):
        RobotConfig(max_people=0)
