# SPDX-License-Identifier: Apache-2.0
"""The example for yolo_ros, with messages of the shape of yolo_msgs."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace as Message

import numpy as np
from rclpy.serialization import serialize_message
from std_msgs.msg import Header

from hmr_ros.ros.input.detection_messages import read_boxes, read_keypoints
from hmr_ros.ros.wire.messages import kept_id

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "yolo_ros.py"


def example():
    spec = importlib.util.spec_from_file_location("yolo_ros_example", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def detection(name="person", keypoints=(), track=""):
    center = Message(position=Message(x=100.0, y=200.0), theta=0.0)
    data = [Message(id=k, point=Message(x=x, y=y), score=score) for k, x, y, score in keypoints]
    return Message(
        id=track,
        class_name=name,
        score=0.8,
        bbox=Message(center=center, size=Message(x=40.0, y=80.0)),
        keypoints=Message(data=data),
    )


def message(*detections):
    return Message(header=Header(frame_id="eye"), detections=list(detections))


def test_boxes_of_yolo_are_read_by_their_class():
    boxes = example().to_boxes(message(detection("dog"), detection(track="7")))
    found = read_boxes(serialize_message(boxes), ("person",))
    np.testing.assert_allclose(found.detections.boxes, [[80, 160, 120, 240]])
    assert found.detections.ids.tolist() == [kept_id("7")]
    assert found.frame_ids == {"eye"}


def test_keypoints_of_yolo_are_numbered_from_one():
    seen = [(1, 95.0, 165.0, 0.9), (17, 105.0, 235.0, 0.6)]
    keypoints = example().to_keypoints(message(detection("dog", seen), detection(keypoints=seen), detection()))
    found = read_keypoints(serialize_message(keypoints), 640, 480).detections
    assert len(found) == 1, "a dog, and a person without keypoints, are left out"
    np.testing.assert_allclose(found.kp2d[0, [0, 16]], [[95, 165], [105, 235]])
    np.testing.assert_allclose(found.kp2d_score[0], [0.9, *[0] * 15, 0.6], rtol=1e-6)
