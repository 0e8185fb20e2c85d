# SPDX-License-Identifier: Apache-2.0
import pytest

from hmr_ros.ros.wire.interfaces import OptionalOutput, summary

HERE = OptionalOutput("JSON", "json")
AWAY = OptionalOutput("unicorns", "unicorn_msgs")


def test_one_line_lists_what_is_published_and_what_is_missing(monkeypatch):
    monkeypatch.setenv("ROS_DISTRO", "jazzy")
    assert summary([HERE]) == "publishing JSON"
    assert summary([HERE, AWAY]) == (
        "publishing JSON; not publishing unicorns (unicorn_msgs is not installed: "
        "apt install ros-jazzy-unicorn-msgs, or build it from source)"
    )
    assert summary([]) == ""


def test_messages_of_installed_packages_are_found():
    point = OptionalOutput("points", "geometry_msgs").message("Point")
    assert point().x == 0.0
    with pytest.raises(ModuleNotFoundError):
        AWAY.message("Unicorn")
