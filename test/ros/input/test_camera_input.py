# SPDX-License-Identifier: Apache-2.0
"""What a camera input reports, and in which order; which topics it takes; which images are rectified; without DDS."""

from types import SimpleNamespace

import numpy as np
import pytest

from hmr_ros.core.config import RobotConfig
from hmr_ros.ros.input import inputs as module
from hmr_ros.ros.input.bit_depth import BitDepth
from hmr_ros.ros.input.fixed_frames import FixedFrames
from hmr_ros.ros.input.images import Frame
from hmr_ros.ros.input.inputs import CameraInput, image_topics
from hmr_ros.ros.monitor import Monitor
from hmr_ros.ros.wire.cdr import Stamp

RAW, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"


class Part:
    """In place of the subscriptions: keeps its arguments and what it is asked to do."""

    problem, topic, there, wrong = "", "/cam/image", (), ""

    def __init__(self, *args, **named):
        self.args, self.named, self.calls = args, named, []

    def __getattr__(self, name):
        return lambda *args: self.calls.append((name, *args)) or f"its {name}"

    def publishers(self):
        return self.there

    def wrong_types(self):
        return self.wrong


class Host:
    """In place of the node: topics by name with their types, remappings, and the log."""

    def __init__(self, remaps=()):
        self.topics, self.log, self.remaps = {}, [], dict(remaps)

    def resolve_topic_name(self, name):
        return self.remaps.get(name, f"/robot/{name}")

    def get_name(self):
        return "hmr"

    def get_namespace(self):
        return "/robot"

    def get_topic_names_and_types(self):
        return [(name, [kind]) for name, kind in self.topics.items()]

    def count_publishers(self, name):
        return name in self.topics

    def get_publishers_info_by_topic(self, name):
        owner = "hmr" if name == "/robot/overlay" else "camera"
        publisher = SimpleNamespace(topic_type=self.topics.get(name), node_name=owner, node_namespace="/robot")
        return [publisher] if name in self.topics else []

    def get_logger(self):
        return SimpleNamespace(info=self.log.append, warning=self.log.append)


@pytest.fixture
def made(monkeypatch):
    """An input, its node and its clock by its settings."""

    def make(remaps=(("image", "/cam/image"),), **settings):
        for name in ("CameraInfoInput", "DepthInput", "AdaptiveSubscription"):
            monkeypatch.setattr(module, name, Part)
        now_s = [100.0]
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
        source = CameraInput(Host(remaps), RobotConfig(**settings), Monitor(), FixedFrames(None))
        source.now_s = now_s
        source._images.type_name = COMPRESSED if settings.get("image_transport") == "compressed" else RAW
        return source

    return make


@pytest.mark.parametrize(
    ("setting", "topic", "expected"),
    [
        ("always", "/cam/image_raw", True),
        ("never", "/cam/image_rect", False),
        ("auto", "/cam/image_rect", True),
        ("auto", "/cam/image_rect_color", True),
        ("auto", "/image_rect/image_raw", False),
        ("auto", "/cam/color_image_rect", False),
    ],
)
def test_images_are_rectified_by_setting_or_name(made, setting, topic, expected):
    source = made((("image", topic),), rectified=setting)
    assert source._infos.args[1:] == (topic,)
    assert source._infos.named == {"rectified": expected}


@pytest.mark.parametrize(
    ("transport", "remaps", "expected"),
    [
        ("raw", {}, ("/robot/image", "/robot/image")),
        ("compressed", {}, ("/robot/image", "/robot/image/compressed")),
        ("raw", {"image": "/cam/color/compressed"}, ("/cam/color", "/cam/color")),
        ("compressed", {"image": "/cam/color"}, ("/cam/color", "/cam/color/compressed")),
        ("compressed", {"image": "/cam/color/compressed"}, ("/cam/color", "/cam/color/compressed")),
        ("compressed", {"image/compressed": "/cam/jpeg"}, ("/cam/jpeg", "/cam/jpeg")),
        ("compressed", {"image/compressed": "/cam/c/compressed"}, ("/cam/c", "/cam/c/compressed")),
    ],
)
def test_topics_are_those_of_image_transport(transport, remaps, expected):
    assert image_topics(Host(remaps), transport) == expected


def test_images_are_counted_and_replaced_by_newer_ones(made):
    source = made()
    for data in (b"1", b"2"):
        source._on_image(data)
    assert source._monitor.received_count == 2
    assert source._monitor.drops() == {"replaced_by_newer": 1}
    assert source.slot.take() == b"2"
    assert source._images.args[1:3] == (module.Image, "/cam/image")


def test_dark_images_are_a_problem_until_there_is_light(made, monkeypatch):
    source = made()
    image = np.zeros((80, 80, 3), np.uint8)
    source._decode = lambda data, depth: Frame(Stamp(1, 0), "eye", image) if isinstance(depth, BitDepth) else None
    assert source.decode(b"").image is image
    assert "nearly black" in source.calibration_problem()
    image[:] = 90
    source.decode(b"")
    assert source.calibration_problem() == ""


def test_problems_come_in_the_order_of_their_weight(made):
    source = made(use_depth=True)
    source._image_problem, source._depth.problem, source._infos.problem = "dark", "no depth", "no calibration"
    source._images.there = [SimpleNamespace(node_namespace="/", node_name=name) for name in ("b", "a")]
    rivals = "/cam/image has 2 publishers (/a, /b): give each camera its own topic"
    assert source.calibration_problem() == rivals
    assert source.rivals("; ") == f"; {rivals}"
    source._images.there = source._images.there[:1]
    assert source.rivals("; ") == ""
    assert source.calibration_problem() == "no calibration"
    source._infos.problem = ""
    assert source.calibration_problem() == "no depth"
    source._depth.problem = ""
    assert source.calibration_problem() == "dark"


def test_rivals_are_logged_once_and_again_when_they_change(made):
    source = made()
    log, lines = source._node.log, []
    for names in ("ab", "ab", "a", "ab", "abc"):
        log.clear()
        source._images.there = [SimpleNamespace(node_namespace="/x", node_name=name) for name in names]
        source.adapt()
        lines.append(len(log))
    assert lines == [1, 0, 0, 1, 1]
    assert "(/x/a, /x/b, /x/c)" in log[0]


@pytest.mark.parametrize("use_depth", [False, True])
def test_every_subscription_is_adapted_and_closed(made, use_depth):
    source = made(use_depth=use_depth)
    source._monitor.receive()
    source.adapt()
    source.close()
    assert source._images.calls == [("adapt",), ("close",)]
    assert source._infos.calls == [("adapt", 1), ("close",)]
    assert source.slot.take() is None
    assert (source._depth is None) == (not use_depth)
    if use_depth:
        assert source._depth.calls == [("adapt",), ("close",)]
        assert source.depth("frame", "camera") == "its of"
        assert source._depth.calls[-1] == ("of", "frame", "camera")
    else:
        assert source.depth("frame", "camera") is None
    assert source.depth("frame", None) is None
    assert source.camera("frame", 0.7) == "its camera"
    assert source._infos.calls[-1] == ("camera", "frame", 0.7)


def test_silence_counts_from_the_last_image_or_the_start(made, monkeypatch):
    source = made()
    source._images.there = ["a publisher"]
    source.now_s[0] = 102.0
    assert source.problem(2.0) == ""
    source.now_s[0] = 103.0
    assert source.problem(2.0).startswith("no image for 3 s, though /cam/image has a publisher. Fast DDS loses large")
    monkeypatch.setattr(source._monitor, "last_received_s", lambda: 102.5)
    assert source.problem(2.0) == ""
    source.now_s[0] = 106.5
    assert source.problem(2.0).startswith("no image for 4 s")


NOWHERE = " nor of other images: does the camera run, with ROS_DOMAIN_ID 7?"


@pytest.mark.parametrize(
    ("transport", "topics", "hint"),
    [
        ("raw", {}, NOWHERE),
        ("raw", {"/robot/overlay": RAW, "/cam/image/camera_info": "b/msg/I"}, NOWHERE),
        (
            "raw",
            {"/front/raw": RAW, "/robot/overlay": RAW},
            "; there are images on /front/raw: launch with image_topic:=/front/raw, or remap image:=/front/raw",
        ),
        (
            "compressed",
            {f"/{name}/compressed": COMPRESSED for name in "dbca"},
            "; there are images on /a, /b, /c, ...: launch with image_topic:=/a, or remap image:=/a",
        ),
        (
            "raw",
            {"/cam/image/compressed": COMPRESSED},
            ", but there is a publisher of /cam/image/compressed: set image_transport to compressed",
        ),
        ("compressed", {"/cam/image": RAW}, ", but there is a publisher of /cam/image: set image_transport to raw"),
        (
            "raw",
            {"/cam/image/zstd": "a/msg/Z", "/cam/image/camera_info": "b/msg/I", "/cam/image/theora": "c/msg/T"},
            ", but of /cam/image/zstd (a/msg/Z), /cam/image/theora (c/msg/T): publish a transport raw or compressed",
        ),
    ],
)
def test_other_topics_and_transports_are_a_hint(made, monkeypatch, transport, topics, hint):
    monkeypatch.setenv("ROS_DOMAIN_ID", "7")
    source = made(image_transport=transport)
    source._images.topic = "/cam/image" + ("/compressed" if transport == "compressed" else "")
    source._node.topics = topics
    source.now_s[0] = 103.0
    assert source.problem(2.0) == f"no publisher of {source._images.topic}{hint}"


def test_a_wrong_type_is_part_of_the_problem(made):
    source = made()
    source._images.wrong = "/cam/image: it carries clouds"
    source.now_s[0] = 103.0
    assert source.problem(2.0) == "no publisher of /cam/image: it carries clouds"
