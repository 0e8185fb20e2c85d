# SPDX-License-Identifier: Apache-2.0
"""Which depth image belongs to an image, and whether it is registered to it, at the edges; without DDS."""

from types import SimpleNamespace

import numpy as np
import pytest

from hmr_ros.core.config import RobotConfig
from hmr_ros.core.people import Camera
from hmr_ros.ros.input import depth as module
from hmr_ros.ros.input import depth_messages
from hmr_ros.ros.input.depth import DepthInput
from hmr_ros.ros.input.depth_messages import decode_depth
from hmr_ros.ros.input.images import BadImageError, BadImageReason, Frame
from hmr_ros.ros.monitor import Monitor
from hmr_ros.ros.wire.cdr import Stamp
from test.ros.input.test_depth import CAMERA, FRAME, FRAME_ID, depth_message


def decoded(height, width, camera=CAMERA, of_depth=FRAME_ID, of_image=FRAME_ID):
    data = depth_message(np.full((height, width), 2000, "<u2"), "16UC1", frame_id=of_depth)
    return decode_depth(data, 1e-3, of_image, camera)


@pytest.mark.parametrize(
    ("height", "width", "is_registered"),
    [
        (240, 320, True),
        (239, 320, True),  # 320 * 480 - 239 * 640 = 640, one row
        (241, 320, True),
        (240, 321, True),
        (240, 319, True),
        (238, 320, False),
        (242, 320, False),
        (240, 318, False),
        (240, 322, False),
    ],
)
def test_depth_has_the_aspect_ratio_of_the_image_but_for_rounding(height, width, is_registered):
    if is_registered:
        assert decoded(height, width).z.shape == (height, width)
        return
    with pytest.raises(BadImageError, match=f"{width} x {height} px do not have the aspect ratio") as caught:
        decoded(height, width)
    assert caught.value.reason is BadImageReason.BAD_SIZE


@pytest.mark.parametrize("upright", [False, True])
def test_the_rounding_allowed_is_of_the_longer_side(upright):
    sides = (480, 640) if upright else (640, 480)
    camera = Camera(CAMERA.K, *sides)
    at_limit = (3, 5) if not upright else (5, 3)  # 5 * 480 - 3 * 640 = 480; within 640
    assert decoded(*at_limit, camera).z.shape == at_limit


@pytest.mark.parametrize(
    ("of_depth", "of_image", "is_usable"),
    [("eye", "eye", True), ("/eye", "eye", True), ("", "eye", True), ("eye", "", True), ("depth", "eye", False)],
)
def test_depth_has_the_frame_of_the_image_where_both_are_known(of_depth, of_image, is_usable):
    if is_usable:
        assert decoded(240, 320, of_depth=of_depth, of_image=of_image).z[0, 0] == 2
        return
    with pytest.raises(BadImageError, match="it is in frame 'depth', the image in 'eye': subscribe depth that is reg"):
        decoded(240, 320, of_depth=of_depth, of_image=of_image)


class Subscription:
    """In place of AdaptiveSubscription."""

    def __init__(self, node, kind, topic, callback):
        self.kind, self.topic, self.receive, self.there, self.calls = kind, topic, callback, [], []

    def publishers(self):
        return self.there

    def wrong_types(self):
        return ""

    def adapt(self):
        self.calls.append("adapt")

    def close(self):
        self.calls.append("close")


@pytest.fixture
def source(monkeypatch):
    monkeypatch.setattr(module, "AdaptiveSubscription", Subscription)

    def make(topic="/depth", compressed=False):
        log = []
        node = SimpleNamespace(
            resolve_topic_name=lambda name: topic,
            count_publishers=lambda name: compressed and name == "/depth/compressedDepth",
            get_logger=lambda: SimpleNamespace(warning=lambda text, throttle_duration_sec: log.append(text)),
        )
        source = DepthInput(node, RobotConfig(depth_tolerance_s=0.05, depth_scale=0.002), Monitor())
        source.log = log
        return source

    return make


def at(offset_ms):
    return Stamp(*divmod(FRAME.stamp.nanoseconds + round(offset_ms * 1e6), 10**9))


def send(source, *offsets_ms):
    """Depth images whose value in mm is 1000 and more, counted from the first."""
    for number, offset_ms in enumerate(offsets_ms):
        values = np.full((3, 4), 1000 + number, "<u2")
        source._subscription.receive(depth_message(values, "16UC1", at(offset_ms)))


@pytest.mark.parametrize(
    ("offsets_ms", "nearest"),
    [
        ((50.0,), 0),
        ((-50.0,), 0),
        ((-10.0, 11.0), 0),
        ((-11.0, 10.0), 1),
        ((40.0, 3.0, -40.0), 1),
        ((0.0, 500.0, 600.0, 700.0, 800.0, 900.0), 0),
    ],
)
def test_the_nearest_in_time_is_taken_on_either_side(source, offsets_ms, nearest):
    source = source()
    send(source, *offsets_ms)
    depth = source.of(FRAME, CAMERA)
    assert depth.z[0, 0] == pytest.approx(0.002 * (1000 + nearest))
    assert (source.problem, source.log, source._monitor.drops()) == ("", [], {})


@pytest.mark.parametrize("offset_ms", [50.1, -50.1])
def test_beyond_the_tolerance_there_is_none(source, offset_ms):
    source = source()
    send(source, offset_ms)
    assert source.of(FRAME, CAMERA) is None
    words = "no depth image within depth_tolerance_s = 0.05 s, the nearest in time is 0.050 s off on /depth"
    assert source.problem == words
    assert source.log == [f"{words}: positions come from the colour image alone"]
    assert source._monitor.drops() == {"depth_unpaired": 1}


def test_only_the_newest_are_kept(source):
    source = source()
    send(source, 0.0, *(100.0 + k for k in range(6)))
    assert source.of(FRAME, CAMERA) is None
    assert source._monitor.drops() == {"depth_unpaired": 1}


def test_without_depth_the_problem_lasts_until_there_is_some(source):
    source = source(compressed=True)
    assert source.of(FRAME, CAMERA) is None
    assert source.problem == "no depth image on /depth: remap depth:=/depth/compressedDepth"
    assert source._monitor.drops() == {"depth_missing": 1}
    source._subscription.there = ["a publisher"]
    source.of(FRAME, CAMERA)
    assert source.problem == "no depth image on /depth"
    send(source, 0.0)
    assert source.of(FRAME, CAMERA) is not None
    assert source.problem == ""


def test_unusable_and_broken_depth_have_their_reason(source):
    source = source()
    source._subscription.receive(depth_message(np.zeros((3, 4), "<u2"), "mono8", at(0)))
    assert source.of(FRAME, CAMERA) is None
    assert source.problem.startswith("depth on /depth is unusable: expected encoding 16UC1")
    source._subscription.receive(b"\0\1\0\0")
    earliest = Frame(Stamp(0, 0), FRAME_ID, FRAME.image)
    assert source.of(FRAME, CAMERA) is None
    assert source._monitor.drops() == {"depth_unusable": 2}
    assert source.of(earliest, CAMERA) is None
    assert source._monitor.drops() == {"depth_unusable": 3}, "a broken stamp is that of 1970"


@pytest.mark.parametrize(
    ("topic", "kind", "decode"),
    [
        ("/depth", module.Image, depth_messages.decode_depth),
        ("/depth/compressedDepth", module.CompressedImage, depth_messages.decode_compressed_depth),
        ("/compressedDepth/image", module.Image, depth_messages.decode_depth),
    ],
)
def test_the_name_of_the_topic_says_what_is_on_it(source, topic, kind, decode):
    source = source(topic)
    assert (source._subscription.kind, source._subscription.topic, source._decode) == (kind, topic, decode)
    source.adapt()
    source.close()
    assert source._subscription.calls == ["adapt", "close"]
