# SPDX-License-Identifier: Apache-2.0
"""Transforms that are none, and more of them than anybody needs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hmr_ros.core.geometry import frames
from hmr_ros.core.geometry.frames import FrameTree, NoTransformError, Pose
from hmr_ros.ros.input.transform_listener import TransformListener
from hmr_ros.ros.input.transform_messages import read_transforms
from hmr_ros.ros.wire.cdr import CdrError, CdrWriter, Stamp
from hmr_ros.ros.wire.interfaces import TF

IDENTITY = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)


def message(numbers=IDENTITY, parent="odom", child="camera", stamp_ns=10**9):
    writer = CdrWriter().pack("I", 1).stamp(Stamp(*divmod(stamp_ns, 10**9))).string(parent).string(child)
    return writer.pack("d", *numbers).finish()


@pytest.mark.parametrize(
    "numbers",
    [
        (0.0,) * 7,
        (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0),
        (np.nan, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0),
        (0.0, 0.0, 0.0, 0.0, np.nan, 0.0, 1.0),
        (0.0, np.inf, 0.0, 0.0, 0.0, 0.0, 1.0),
    ],
    ids=["zeros", "length 2", "nan", "nan rotation", "inf"],
)
def test_transforms_that_are_none_are_ignored(numbers):
    tree = FrameTree()
    assert "'camera' to 'odom'" in read_transforms(tree, message(numbers), is_static=True)
    with pytest.raises(NoTransformError):
        tree.lookup("odom", "camera", 10**9)
    assert read_transforms(tree, message(), is_static=True) == ""
    assert np.allclose(tree.lookup("odom", "camera", 10**9).rotation, np.eye(3))


@pytest.mark.parametrize(("parent", "child"), [("", "camera"), ("odom", ""), ("odom", "/odom")])
def test_frames_that_are_none_are_ignored(parent, child):
    assert read_transforms(FrameTree(), message(parent=parent, child=child), is_static=True)


def test_a_message_that_is_cut_off_is_ignored(executor):
    if not TF.is_available:
        pytest.skip("needs tf2_msgs")
    from rclpy.node import Node

    node = Node("cut")
    executor.add_node(node)
    listener, whole = TransformListener(node), message()
    for end in range(len(whole)):
        listener._receive(whole[:end], is_static=True)
    listener._receive(whole, is_static=True)
    assert listener.lookup("odom", "camera", Stamp(1, 0), 0.0) is not None
    listener.close()


def test_frames_without_end_take_no_memory_without_end(monkeypatch):
    monkeypatch.setattr(frames, "_MOST_FRAMES", 50)
    monkeypatch.setattr(frames, "_MOST_POSES", 20)
    tree, pose = FrameTree(), Pose(np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]))
    tree.add("odom", "camera", 0, pose, is_static=True)
    for number in range(200):
        tree.add("odom", f"frame{number}", number, pose, is_static=False)
        tree.add("odom", "busy", 10**9 + number, pose, is_static=False)
    assert len(tree._links) == 50
    assert len(tree._links["busy"].stamps) == 20
    assert tree.lookup("odom", "camera", 5) is not None
    assert tree.lookup("odom", "frame199", 199) is not None
    for number in range(100):
        tree.add("odom", f"static{number}", 0, pose, is_static=True)
    assert len(tree._links) == 50


@settings(max_examples=300)
@given(st.binary(max_size=200), st.integers(0, 200), st.floats(), st.text(max_size=5))
def test_any_bytes_are_read_or_refused(noise, at, number, name):
    whole = message((number, 0.0, 0.0, 0.0, 0.0, number, 1.0), child=name)
    for data in (noise, whole[:at] + noise, whole[:at] + noise + whole[at:]):
        try:
            read_transforms(FrameTree(), data, is_static=False)
        except CdrError:
            continue
