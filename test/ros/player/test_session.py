# SPDX-License-Identifier: Apache-2.0
"""ROS around one node: where it starts, how long it receives, and that nothing stays."""

import pytest

from hmr_ros.ros.player import session as module
from hmr_ros.ros.player.session import Session


class Ros:
    """In place of rclpy, its executor, the node and the clock; ``calls`` are theirs in order. Waiting takes 0.4 s."""

    def __init__(self):
        self.calls, self.now_s, self.waits_s = [], 10.0, []

    def init(self, args):
        self.calls.append(("init", *args))

    def try_shutdown(self):
        self.calls.append("shut down ROS")

    def add_node(self, node):
        assert node is self
        self.calls.append("add")

    def shutdown(self):
        self.calls.append("shut down executor")

    def destroy_node(self):
        self.calls.append("destroy")

    def monotonic(self):
        return self.now_s

    def spin_once(self, timeout_sec):
        self.waits_s.append(timeout_sec)
        self.now_s += min(timeout_sec, 0.4)


@pytest.fixture
def ros(monkeypatch):
    ros = Ros()
    monkeypatch.setattr(module, "rclpy", ros)
    monkeypatch.setattr(module, "time", ros)
    monkeypatch.setattr(module, "SingleThreadedExecutor", lambda: ros)
    return ros


def test_the_node_lives_in_the_namespace_from_start_to_close(ros):
    session = Session("bench", lambda: ros)
    assert session.node is ros
    assert ros.calls == [("init", "--ros-args", "-r", "__ns:=/bench"), "add"]
    session.close()
    assert ros.calls[2:] == ["shut down executor", "destroy", "shut down ROS"]


def test_messages_are_received_for_as_long_as_asked(ros):
    session = Session("bench", lambda: ros)
    session.spin(1.0)
    assert ros.waits_s == pytest.approx([1.0, 0.6, 0.2])
    assert ros.now_s == pytest.approx(11.0)
    session.spin(0.0)
    assert len(ros.waits_s) == 3
