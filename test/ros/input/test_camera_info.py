# SPDX-License-Identifier: Apache-2.0
"""Which calibration belongs to an image, what is wrong with it, and how often that is logged; without DDS."""

from types import SimpleNamespace

import numpy as np
import pytest
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo

from hmr_ros.ros.input import camera_info as module
from hmr_ros.ros.input.camera_info import CameraInfoInput, camera_info_topic
from hmr_ros.ros.input.images import Frame
from hmr_ros.ros.player.calibration import from_focal_length
from hmr_ros.ros.wire.cdr import Stamp
from hmr_ros.ros.wire.messages import header


class Subscription:
    """In place of AdaptiveSubscription."""

    is_latched, wrong = False, ""

    def __init__(self, node, kind, topic, callback):
        assert kind is CameraInfo
        self.topic, self.receive, self.calls = topic, callback, []

    def wrong_types(self):
        return self.wrong

    def adapt(self):
        self.calls.append("adapt")

    def close(self):
        self.calls.append("close")


class Source:
    """A CameraInfoInput, the clock, and the log."""

    def __init__(self, monkeypatch, rectified=False):
        self.now_s, self.log = 100.0, []
        monkeypatch.setattr(module, "AdaptiveSubscription", Subscription)
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now_s))
        self.topics = {}
        node = SimpleNamespace(
            get_name=lambda: "hmr",
            get_topic_names_and_types=lambda: [(name, [kind]) for name, kind in self.topics.items()],
            get_publishers_info_by_topic=lambda _: [SimpleNamespace(node_name="camera", node_namespace="/robot")],
            get_logger=lambda: SimpleNamespace(warning=self.log.append),
            resolve_topic_name=lambda name: f"/robot/{name}",
            get_namespace=lambda: "/robot",
        )
        self.input = CameraInfoInput(node, "/cam/image", rectified=rectified)
        self.subscription = self.input._subscription

    def send(self, info=None, stamp=Stamp(1, 0), frame_id="eye"):  # noqa: B008  # a constant
        info = info or from_focal_length(500.0)(640, 480)
        info.header = header(stamp, frame_id)
        self.subscription.receive(serialize_message(info))

    def camera(self, width=640, height=480, frame_id="eye", timeout_s=2.0):
        return self.input.camera(Frame(Stamp(1, 0), frame_id, np.zeros((height, width, 3), np.uint8)), timeout_s)


@pytest.fixture
def source(monkeypatch):
    return Source(monkeypatch)


MISSING = "no CameraInfo on /cam/camera_info nor on another topic: drivers publish it once the camera is calibrated"
REST = ". Publishing 2D keypoints only, no positions, no meshes."


def test_a_missing_calibration_is_reported_once_after_a_while(source):
    source.now_s = 102.0
    assert source.camera() is None
    assert (source.input.problem, source.log) == ("", [])
    source.now_s = 102.01
    for _ in range(2):
        assert source.camera() is None
    assert (source.input.problem, source.log) == (MISSING, [MISSING + REST])
    source.topics = {"/front/info": "sensor_msgs/msg/CameraInfo", "/front/image": "sensor_msgs/msg/Image"}
    source.camera()
    assert source.input.problem == (
        "no CameraInfo on /cam/camera_info; there is one on /front/info: launch with camera_info_topic:=/front/info, "
        "or remap camera_info:=/front/info"
    )
    source.subscription.wrong = "/cam/camera_info: it carries images"
    source.camera()
    assert source.input.problem == "no CameraInfo on /cam/camera_info: it carries images"
    source.send()
    assert source.camera() is not None
    assert (source.input.problem, len(source.log)) == ("", 3)


def test_each_size_has_its_own_calibration_and_others_the_newest(source):
    for width, height, focal_px in ((640, 480, 500.0), (320, 240, 250.0)):
        source.send(from_focal_length(focal_px)(width, height))
    assert source.camera().K[0, 0] == 500
    assert source.camera(320, 240).K[0, 0] == 250
    assert source.camera(480, 640) is None
    assert "unusable: it describes 320 x 240 px, the image has 480 x 640" in source.input.problem
    assert source.log == [source.input.problem + REST]


def test_what_is_repeated_under_another_stamp_is_not_read_again(source):
    source.send()
    first = source.camera()
    source.send(stamp=Stamp(7, 8))
    assert source.camera() is first
    source.send(from_focal_length(501.0)(640, 480))
    assert source.camera().K[0, 0] == 501
    source.send()
    assert source.camera().K[0, 0] == 500


@pytest.mark.parametrize("rectified", [False, True])
def test_rectified_images_are_projected_by_p(monkeypatch, rectified):
    source = Source(monkeypatch, rectified)
    info = from_focal_length(500.0)(640, 480)
    info.p[0] = 480.0
    source.send(info)
    assert source.camera().K[0, 0] == (480 if rectified else 500)


def test_a_broken_message_changes_nothing_but_the_problem(source):
    source.send()
    source.subscription.receive(b"\0\1\0\0" + bytes(20))
    assert source.input.problem.startswith("CameraInfo on /cam/camera_info cannot be read: ")
    assert len(source.log) == 1
    assert source.camera() is not None
    assert source.input.problem == ""


@pytest.mark.parametrize(
    ("of_image", "of_info", "words"),
    [
        ("eye", "eye", ""),
        ("eye", "/eye", ""),
        ("eye", "", ""),
        ("", "eye", "images have no header.frame_id: TF, RViz and planners get no people"),
        ("", "", "images have no header.frame_id: TF, RViz and planners get no people"),
        (
            "left",
            "eye",
            "images are in frame 'left', the CameraInfo on /cam/camera_info in 'eye': is it this camera's?",
        ),
    ],
)
def test_frames_are_compared_where_both_are_known(source, of_image, of_info, words):
    source.send(frame_id=of_info)
    for _ in range(2):
        assert source.camera(frame_id=of_image) is not None
    assert source.input.problem == words + (" camera's?" if words.endswith("this") else "")
    assert source.log == [source.input.problem] * bool(words)


def counted(source, images, infos, window_s=10.0):
    """The warnings after a window with so many messages."""
    source.input.adapt(images_received=700)
    for _ in range(infos):
        source.send()
    source.now_s += window_s
    source.input.adapt(images_received=700 + images)
    return source.log


@pytest.mark.parametrize(
    ("images", "infos", "warnings"),
    [(10, 30, 0), (10, 31, 1), (30, 10, 0), (31, 10, 1), (0, 31, 0), (31, 0, 0), (1, 1, 0)],
)
def test_rates_may_differ_by_a_factor_of_three(source, images, infos, warnings):
    log = counted(source, images, infos)
    assert len(log) == warnings
    words = (
        f"{images} images and {infos} CameraInfo on /cam/camera_info in 10 s: is this the calibration of this camera?"
    )
    assert all(line.startswith(words) for line in log)


def test_rates_are_compared_at_the_end_of_a_window(source):
    assert counted(source, 40, 10, window_s=9.9) == []
    source.now_s += 0.1
    source.input.adapt(images_received=740)
    assert len(source.log) == 1


def test_every_window_counts_for_itself_and_one_warning_is_enough(source):
    assert counted(source, 30, 10) == []
    for images in (750, 790):  # 20 images and 5 calibrations, then 40
        for _ in range(5):
            source.send()
        source.now_s += 10.0
        source.input.adapt(images_received=images)
        source.log.append(images)
    assert [line for line in source.log if isinstance(line, int)] == [750, 790]
    (warning,) = [line for line in source.log if isinstance(line, str)]
    assert warning.startswith("20 images and 5 CameraInfo")


def test_a_latched_calibration_needs_no_rate(source):
    source.subscription.is_latched = True
    assert counted(source, 40, 1) == []
    assert source.subscription.calls == ["adapt"] * 2
    source.input.close()
    assert source.subscription.calls[-1] == "close"


@pytest.mark.parametrize(
    ("namespace", "resolved", "expected"),
    [
        ("/", "/camera_info", "/cam/camera_info"),
        ("/robot", "/robot/camera_info", "/cam/camera_info"),
        ("/robot", "/camera_info", "/camera_info"),
        ("/", "/other/info", "/other/info"),
    ],
)
def test_calibration_is_beside_the_image_unless_it_is_remapped(namespace, resolved, expected):
    node = SimpleNamespace(resolve_topic_name=lambda name: resolved, get_namespace=lambda: namespace)
    assert camera_info_topic(node, "/cam/image_raw") == expected
