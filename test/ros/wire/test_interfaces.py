# SPDX-License-Identifier: Apache-2.0
import pytest

from hmr_ros.ros.wire import interfaces
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


@pytest.mark.parametrize(
    ("output", "message", "words"),
    [
        (interfaces.TF, "TFMessage", "TF"),
        (interfaces.HUMANS, "IdsList", "ROS4HRI"),
        (interfaces.DETECTIONS, "Detection3DArray", "3D detections"),
        (interfaces.COLLISION_OBJECTS, "CollisionObject", "MoveIt"),
        (interfaces.SHAPES, "SolidPrimitive", "shapes"),
        (interfaces.PEOPLE, "People", "nav2"),
    ],
)
def test_each_output_has_its_package_and_is_named_to_users(output, message, words):
    assert words in summary([output])
    if output.is_available:
        assert output.message(message).__module__.partition(".")[0] == output.package
    else:
        assert f"{output.name} ({output.package} is not installed" in summary([output])


def test_without_ros_the_remedy_has_a_place_for_its_name(monkeypatch):
    monkeypatch.delenv("ROS_DISTRO", raising=False)
    two = [AWAY, OptionalOutput("dragons", "dragon")]
    assert "unicorns (unicorn_msgs is not installed: apt install ros-<distro>-unicorn-msgs, or build" in summary(two)
    assert "from source), dragons (dragon is" in summary(two)
    assert summary([HERE, HERE]) == "publishing JSON, JSON"
