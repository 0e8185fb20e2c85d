# SPDX-License-Identifier: Apache-2.0
import dataclasses
import functools
import itertools
import struct

import cv2
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from hmr_ros.msg import SmplBodyArray
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image

from hmr_ros.core.config import PerceptionSettings, RobotConfig
from hmr_ros.core.fitting.depth import DepthImage
from hmr_ros.core.people import Camera
from hmr_ros.perception.tracker import Tracker, TrackerOptions
from hmr_ros.ros.input.depth import DepthInput
from hmr_ros.ros.input.depth_messages import decode_compressed_depth, decode_depth
from hmr_ros.ros.input.images import BadImageError, BadImageReason, Frame
from hmr_ros.ros.monitor import Monitor
from hmr_ros.ros.wire import cdr
from test.ros.graph import qos, spin_until
from test.ros.stubs import StubDetector, StubEstimator, stub_pipeline
from test.ros.world import World

FRAME_ID = "camera_optical_frame"
CAMERA = Camera(np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]]), 640, 480)
FRAME = Frame(cdr.Stamp(100, 0), FRAME_ID, np.zeros((480, 640, 3), np.uint8))
METRES = np.array([[1.5, 0.0, 2.25, 9.0], [0.5, 1.0, 1.25, 4.0], [3.0, 3.0, 3.0, 3.0]])


def depth_message(values, encoding, stamp=FRAME.stamp, frame_id=FRAME_ID, padding=0, bigendian=0):
    row = values.shape[1] * values.itemsize
    rows = np.pad(np.frombuffer(values.tobytes(), np.uint8).reshape(len(values), row), ((0, 0), (0, padding)))
    writer = cdr.CdrWriter().stamp(stamp).string(frame_id).pack("I", *values.shape).string(encoding)
    return writer.pack("B", bigendian).pack("I", rows.shape[1]).array(rows.ravel(), rows.size).finish()


@pytest.mark.parametrize(
    ("values", "encoding", "bigendian"),
    [
        ((METRES * 1000).astype("<u2"), "16UC1", 0),
        ((METRES * 1000).astype(">u2"), "16UC1", 1),
        ((METRES * 1000).astype("<u2"), "mono16", 0),
        (METRES.astype("<f4"), "32FC1", 0),
        (METRES.astype(">f4"), "32FC1", 1),
    ],
)
@pytest.mark.parametrize("padding", [0, 3])
def test_depth_comes_in_metres(values, encoding, bigendian, padding):
    data = depth_message(values, encoding, bigendian=bigendian, padding=padding)
    depth = decode_depth(data, 0.001, FRAME_ID, CAMERA)
    np.testing.assert_allclose(depth.z, METRES, rtol=1e-6)
    assert depth.z.dtype == np.float32


def person_before(far, encoding="<f4"):
    """(120, 160) a person at 2 m, with a slope of noise, before ``far``."""
    z = np.full((120, 160), far)
    z[:, 40:80] = 2.0 + np.linspace(0, 0.1, 120)[:, None]
    return z.astype(encoding)


@pytest.mark.parametrize("far", [np.inf, np.nan, 65.535, 1e4, 3.4e38, 10.0, -1.0, 0.0])
def test_marks_in_metres_are_holes(far):
    z = decode_depth(depth_message(person_before(far), "32FC1"), 0.001, FRAME_ID, CAMERA).z
    assert ((z > 0) == (np.arange(160) // 40 == 1)).all()


@pytest.mark.parametrize("scale", [0.001, 0.0001])
def test_the_mark_of_integers_is_a_hole_in_any_unit(scale):
    units = np.where(np.arange(160) < 3, 65535, 2.0 / scale).astype("<u2") * np.ones((120, 1), "<u2")
    z = decode_depth(depth_message(units, "16UC1"), scale, FRAME_ID, CAMERA).z
    assert (z[:, :3] == 0).all()
    np.testing.assert_allclose(z[:, 3:], 2.0, rtol=1e-6)


@pytest.mark.parametrize("far", [2.3, np.linspace(2.0, 9.0, 160)])
def test_a_wall_is_no_mark(far):
    z = decode_depth(depth_message(person_before(far), "32FC1"), 0.001, FRAME_ID, CAMERA).z
    assert (z > 0).all()


@pytest.mark.parametrize(
    ("values", "encoding", "words"),
    [
        (np.full((120, 160), 3500.0, "<f4"), "32FC1", "median is 3500 m: 32FC1 is to be in m"),
        (np.full((120, 160), 3, "<u2"), "16UC1", "median is 0.003 m: .*depth_scale"),
    ],
)
def test_depth_of_another_unit_is_refused_with_the_remedy(values, encoding, words):
    with pytest.raises(BadImageError, match=words):
        decode_depth(depth_message(values, encoding), 0.001, FRAME_ID, CAMERA)


def test_depth_without_any_value_is_all_holes():
    assert not decode_depth(depth_message(np.zeros((120, 160), "<u2"), "16UC1"), 0.001, FRAME_ID, CAMERA).z.any()


def compressed_depth(values, encoding, a=0.0, b=0.0, codec="png", frame_id=FRAME_ID):
    payload = struct.pack("<iff", 0, a, b) + cv2.imencode(".png", values)[1].tobytes()
    octets = np.frombuffer(payload, np.uint8)
    return cdr.write_compressed_image(FRAME.stamp, frame_id, octets, f"{encoding}; compressedDepth {codec}")


def test_compressed_depth_comes_in_metres():
    data = compressed_depth((METRES * 1000).astype(np.uint16), "16UC1")
    np.testing.assert_allclose(decode_compressed_depth(data, 0.001, FRAME_ID, CAMERA).z, METRES, rtol=1e-6)
    a, b = 100.0 * 101.0, 1 - 100.0 * 101.0 / 10.0  # compressed_depth_image_transport: quantization 100, maximum 10 m
    inverse = np.where(METRES > 0, a / np.maximum(METRES, 0.1) + b, 0)
    data = compressed_depth(inverse.astype(np.uint16), "32FC1", a, b)
    np.testing.assert_allclose(decode_compressed_depth(data, 0.001, FRAME_ID, CAMERA).z, METRES, rtol=1e-2)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (compressed_depth(np.ones((3, 4), np.uint16), "16UC1", codec="rvl"), "png"),
        (compressed_depth(np.ones((3, 4), np.uint16), "8UC1"), "16UC1 or 32FC1"),
        (compressed_depth(np.ones((3, 4), np.uint8), "16UC1"), "PNG of 16 bits"),
        (compressed_depth(np.ones((64, 64), np.uint16), "16UC1"), "registered"),
        (compressed_depth(np.ones((3, 4), np.uint16), "16UC1", frame_id="depth"), "registered"),
        (compressed_depth(np.ones((3, 4), np.uint16), "16UC1")[:-9], "bytes"),
        (cdr.write_compressed_image(FRAME.stamp, FRAME_ID, np.zeros(3, np.uint8), "16UC1; compressedDepth png"), "PNG"),
    ],
)
def test_compressed_depth_that_cannot_be_used_has_a_reason(data, words):
    with pytest.raises(BadImageError, match=words):
        decode_compressed_depth(data, 0.001, FRAME_ID, CAMERA)


def test_compressed_depth_is_subscribed_by_its_name(executor):
    node, peer = (
        Node(name, cli_args=cli)
        for name, cli in (("hmr", ["--ros-args", "-r", "depth:=/depth/compressedDepth"]), ("peer", []))
    )
    for added in (node, peer):
        executor.add_node(added)
    publisher = peer.create_publisher(CompressedImage, "/depth/compressedDepth", qos())
    source = DepthInput(node, RobotConfig(), Monitor())
    spin_until(executor, publisher.get_subscription_count)
    publisher.publish(compressed_depth(np.full((3, 4), 2000, np.uint16), "16UC1"))
    spin_until(executor, lambda: source.of(FRAME, CAMERA) is not None)
    raw = Node("raw")
    executor.add_node(raw)
    other = DepthInput(raw, RobotConfig(), Monitor())
    spin_until(executor, lambda: other.of(FRAME, CAMERA) is None and "remap depth:=/depth/c" in other.problem)


def test_units_are_those_of_depth_scale():
    units = decode_depth(depth_message(np.full((3, 4), 4000, "<u2"), "16UC1"), 0.00025, FRAME_ID, CAMERA)
    np.testing.assert_allclose(units.z, 1.0)


U2 = np.zeros((3, 4), "<u2")


@pytest.mark.parametrize(
    ("data", "reason", "words"),
    [
        (depth_message(U2, "rgb8"), BadImageReason.UNKNOWN_ENCODING, "16UC1"),
        (depth_message(U2, "32FC1"), BadImageReason.BAD_STEP, "16 bytes"),
        (depth_message(np.zeros((64, 64), "<u2"), "16UC1"), BadImageReason.BAD_SIZE, "registered"),
        (depth_message(np.zeros((0, 4), "<u2"), "16UC1"), BadImageReason.BAD_SIZE, "4 x 0"),
        (depth_message(U2, "16UC1", frame_id="depth_optical_frame"), BadImageReason.BAD_SIZE, "registered"),
        (depth_message(U2, "16UC1")[:-3], BadImageReason.BROKEN_MESSAGE, "bytes"),
    ],
    ids=["encoding", "step", "proportions", "empty", "frame", "broken"],
)
def test_unusable_depth_has_a_named_reason(data, reason, words):
    with pytest.raises(BadImageError, match=words) as caught:
        decode_depth(data, 0.001, FRAME_ID, CAMERA)
    assert caught.value.reason == reason


@pytest.mark.parametrize("size", [(480, 640), (240, 320), (120, 160), (960, 1280), (135, 180), (241, 321)])
def test_depth_may_have_another_resolution(size):
    depth = decode_depth(depth_message(np.full(size, 2000, "<u2"), "16UC1"), 0.001, FRAME_ID, CAMERA)
    assert depth.z.shape == size


class Source:
    """A DepthInput and its publisher."""

    def __init__(self, executor):
        self.executor = executor
        node, peer = Node("hmr"), Node("peer")
        for added in (node, peer):
            executor.add_node(added)
        self.monitor = Monitor()
        self.publisher = peer.create_publisher(Image, "depth", qos(depth=20))
        self.input = DepthInput(node, RobotConfig(depth_tolerance_s=0.05), self.monitor)
        spin_until(executor, self._is_connected)

    def _is_connected(self):
        self.input.adapt()
        return self.publisher.get_subscription_count()

    @staticmethod
    def stamp(offset_ms):
        return cdr.Stamp(*divmod(FRAME.stamp.nanoseconds + offset_ms * 1_000_000, 10**9))

    def send(self, offset_ms, value):
        self.publisher.publish(depth_message(np.full((3, 4), 1000 * value, "<u2"), "16UC1", self.stamp(offset_ms)))

    def value(self, frame=FRAME):
        depth = self.input.of(frame, CAMERA)
        return None if depth is None else round(float(depth.z[0, 0]))

    def value_after_sending(self, *messages, until):
        for message in messages:
            self.send(*message)
        spin_until(self.executor, lambda: self.value() == until)


def test_the_nearest_stamp_within_the_tolerance_is_taken(executor):
    source = Source(executor)
    assert source.value() is None
    assert source.monitor.drops() == {"depth_missing": 1}
    assert source.input.problem == "no depth image on /depth"

    source.send(-70, 1)  # too old by 20 ms
    spin_until(executor, lambda: source.value() is None and source.monitor.drops().get("depth_unpaired"))
    assert "0.070 s off" in source.input.problem
    for offset_ms, value, expected in ((-30, 2, 2), (40, 3, 2), (20, 4, 4), (-5, 5, 5), (0, 6, 6), (60, 7, 6)):
        source.value_after_sending((offset_ms, value), until=expected)
    assert source.input.problem == ""
    later = dataclasses.replace(FRAME, stamp=cdr.Stamp(101, 0))
    assert source.value(later) is None


def test_the_nearest_depth_in_time_is_taken_not_the_newest(executor):
    source = Source(executor)
    for offset_ms, value in ((-10, 1), (40, 2), (-30, 3), (500, 4)):
        source.send(offset_ms, value)
        at_its_stamp = dataclasses.replace(FRAME, stamp=source.stamp(offset_ms))
        spin_until(executor, lambda: source.value(at_its_stamp) == value)  # noqa: B023  # used at once
    assert source.value() == 1


def test_broken_depth_is_counted_and_the_image_goes_on(executor):
    source = Source(executor)
    source.publisher.publish(depth_message(np.zeros((3, 4), "<u2"), "mono8"))
    spin_until(executor, lambda: source.value() is None and source.monitor.drops().get("depth_unusable"))
    assert "mono8" in source.input.problem


class DepthWorld(World):
    """A camera with depth, and the node with one stubbed person 3 m ahead."""

    def __init__(self, executor, **parameters):
        super().__init__(executor, **{"use_depth": True, **parameters})
        self.depth = self.peer.create_publisher(Image, "depth", qos())
        self.subscribe(SmplBodyArray, "bodies")
        self.subscribe(DiagnosticArray, "/diagnostics")
        assert self.node.start()

    def show_with_until(self, depth_of, condition):
        """Images, each after its depth, until ``condition()``."""

        def shown():
            stamp = self.camera.now()
            self.camera.publish_info()
            self.depth.publish(depth_of(stamp))
            self.camera.publish_image(stamp)
            return condition()

        spin_until(self.executor, shown)

    @property
    def person(self):
        """The person of the last message; None before."""
        return next((body for message in self.received["bodies"][-1:] for body in message.bodies), None)

    def stands(self, distance_m, tolerance_m=1e-3):
        return self.person is not None and abs(self.person.cam_t.z - distance_m) < tolerance_m


@pytest.fixture
def world(executor, closing):
    return functools.partial(closing, DepthWorld, executor)


@pytest.mark.parametrize("encoding", ["16UC1", "32FC1"])
def test_people_have_the_measured_distance(world, encoding):
    w = world()

    def screen(stamp):
        """Seen on a screen 2.4 m away, a person is as far as that, and smaller."""
        metres = np.full((240, 320), 2.4)
        values = (1000 * metres).astype("<u2") if encoding == "16UC1" else metres.astype("<f4")
        return depth_message(values, encoding, stamp)

    w.show_with_until(screen, lambda: w.stands(2.45, tolerance_m=0.1))
    w.show_with_until(screen, lambda: w.reported("people measured by depth") == "1")
    assert w.person.betas[0] < -1


def test_without_depth_the_image_alone_decides_and_diagnostics_report_it(world):
    w = world()
    w.show_until(lambda: w.stands(3.0))
    w.show_until(lambda: int(w.reported("dropped: depth_missing") or 0) > 0 and w.reported("people measured by depth"))
    assert w.reported("people measured by depth") == "0"
    assert any("no depth image on /depth" in report.status[0].message for report in w.received["/diagnostics"])


def test_depth_that_measures_nobody_for_a_while_is_reported(world):
    w = world()

    def elsewhere(stamp):
        return depth_message(np.full((240, 320), 9000, "<u2"), "16UC1", stamp)

    def told():
        return any("depth measured no person" in r.status[0].message for r in w.received["/diagnostics"])

    w.show_with_until(elsewhere, told)


def test_depth_is_not_subscribed_unless_asked_for(world):
    w = world(use_depth=False)
    w.show_until(lambda: w.stands(3.0))
    assert w.depth.get_subscription_count() == 0
    assert w.node.monitor.drops().get("depth_missing") is None


def test_the_size_of_a_lost_person_is_forgotten():
    """A person with the same id later, and not known again, is placed by keypoints alone until depth is measured."""
    pipeline = stub_pipeline(StubDetector(1), StubEstimator())
    pipeline.configure(PerceptionSettings(reid=False))
    pipeline.tracker = Tracker(TrackerOptions(hits_to_confirm=1, timeout_s=1.0), itertools.repeat(7))
    screen = DepthImage(np.full((240, 320), 2.4, np.float32))

    def distance_m(stamp_s, depth=None):
        pipeline.detector.people = 1
        return float(pipeline(FRAME.image, CAMERA, stamp_s, depth).bodies.cam_t[0, 2])

    assert distance_m(1.0) == pytest.approx(3.0, abs=0.05)
    measured_m = distance_m(1.1, screen)
    assert measured_m < 2.6
    assert distance_m(1.2) == pytest.approx(measured_m, abs=0.05)
    pipeline.detector.people = 0
    lost = [pipeline(FRAME.image, CAMERA, stamp_s).lost for stamp_s in (1.3, 2.5)]
    assert lost == [(), (7,)]
    assert distance_m(2.6) == pytest.approx(3.0, abs=0.05)
