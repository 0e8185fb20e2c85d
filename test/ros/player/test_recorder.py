# SPDX-License-Identifier: Apache-2.0
"""What the recorder keeps of a camera and of the node's answers."""

import cv2
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from hmr_ros.msg import SmplBodyArray
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import Marker, MarkerArray

from hmr_ros.ros.node.diagnostics import OVERHEAD
from hmr_ros.ros.player import recorder as module
from hmr_ros.ros.player.calibration import from_focal_length
from hmr_ros.ros.player.recorder import Recorder
from hmr_ros.ros.wire.cdr import Stamp, write_image
from hmr_ros.ros.wire.messages import header
from test.ros.graph import FakeCamera, spin_until


@pytest.fixture
def recorder(executor):
    node = Recorder()
    executor.add_node(node)
    return node


def test_before_the_first_message_nothing_is_known(recorder):
    assert recorder.moments == []
    assert recorder.image_count == 0
    assert recorder.last_bodies_s == float("-inf")
    assert np.isnan(recorder.overhead_ms)
    assert set(recorder.rates_hz().values()) == {0.0}
    assert len(recorder.latencies_s()) == 0


def test_bodies_are_kept_with_the_image_of_their_stamp_until_it_starts_over(executor, recorder):
    camera = FakeCamera(recorder)
    bodies = recorder.create_publisher(SmplBodyArray, "bodies", 10)
    camera.publish_info()
    stamps = [camera.publish_image() for _ in range(2)]
    spin_until(executor, lambda: recorder.image_count == 2)
    bodies.publish(SmplBodyArray(header=header(stamps[1], "eye"), joint_set="coco17"))
    spin_until(executor, lambda: recorder.moments)
    moment = recorder.moments[0]
    assert moment.message.header.stamp.nanosec == stamps[1].nanosec
    assert moment.image().shape == (480, 640, 3)
    assert np.abs(moment.image().astype(int) - 90).max() < 4
    assert moment.camera is not None
    assert 0 < moment.latency_s < 60
    assert np.isfinite(recorder.last_bodies_s)
    recorder.start_over()
    assert recorder.moments == []
    assert set(recorder.rates_hz().values()) == {0.0}


def test_bodies_without_an_image_are_no_moment(executor, recorder):
    bodies = recorder.create_publisher(SmplBodyArray, "bodies", 10)
    spin_until(executor, lambda: bodies.get_subscription_count() > 0)
    bodies.publish(SmplBodyArray(joint_set="coco17"))
    spin_until(executor, lambda: np.isfinite(recorder.last_bodies_s))
    assert recorder.moments == []


def test_only_the_nodes_own_report_tells_its_overhead(executor, recorder):
    reports = recorder.create_publisher(DiagnosticArray, "/diagnostics", 10)
    spin_until(executor, lambda: reports.get_subscription_count() > 0)

    def report(name: str, value: str) -> DiagnosticStatus:
        return DiagnosticStatus(name=name, values=[KeyValue(key=OVERHEAD, value=value)])

    reports.publish(DiagnosticArray(status=[report("hmr_node: bodies", "4.5"), report("hmr_node: engines", "9")]))
    spin_until(executor, lambda: not np.isnan(recorder.overhead_ms))
    assert recorder.overhead_ms == 4.5


AT = Stamp(1000, 500_000_000)


def published(after_s):
    """The message info of a message that was published so long after AT."""
    return {"source_timestamp": AT.nanoseconds + round(after_s * 1e9)}


def image_of(colour, stamp=AT):
    return write_image(stamp, "eye", np.full((48, 64, 3), colour, np.uint8), "rgb8")


def body_array(stamp=AT):
    return SmplBodyArray(header=header(stamp, "eye"), joint_set="coco17")


def test_a_moment_has_the_colours_of_its_image_and_the_latency_of_its_bodies(recorder):
    recorder._on_image(image_of((255, 0, 0)))
    recorder._on_bodies(body_array(), published(0.25))
    (moment,) = recorder.moments
    assert moment.latency_s == pytest.approx(0.25)
    assert moment.camera is None
    assert np.abs(moment.image().astype(int) - (255, 0, 0)).max() < 6
    assert np.abs(cv2.imdecode(moment.jpeg, cv2.IMREAD_COLOR).astype(int) - (0, 0, 255)).max() < 6, "as files are"
    recorder._on_bodies(body_array(), published(0.5))
    assert len(recorder.moments) == 1, "one for each image"


def test_a_moment_has_the_calibration_of_its_size_with_the_lens(recorder):
    for width, focal_px in ((64, 70.0), (640, 500.0)):
        info = from_focal_length(focal_px)(width, width * 3 // 4)
        info.d[0] = -0.1
        info.p[0] = 60.0  # of rectified images, which these are not
        recorder._on_info(info)
    recorder._on_image(image_of((9, 9, 9)))
    recorder._on_bodies(body_array(), published(0.25))
    camera = recorder.moments[0].camera
    assert (camera.width, camera.height, camera.K[0, 0]) == (64, 48, 70.0)
    assert camera.D.tolist() == [-0.1, 0, 0, 0, 0]


def test_a_calibration_that_cannot_be_used_is_none(recorder):
    recorder._on_info(CameraInfo(width=64, height=48))
    recorder._on_image(image_of((9, 9, 9)))
    recorder._on_bodies(body_array(), published(0.25))
    assert recorder.moments[0].camera is None


def test_only_the_newest_images_wait_for_their_bodies(recorder, monkeypatch):
    monkeypatch.setattr(module, "_WAITING_IMAGES", 2)
    stamps = [Stamp(1000, k) for k in range(3)]
    for stamp in stamps:
        recorder._on_image(image_of((9, 9, 9), stamp))
    assert recorder.image_count == 3
    kept = []
    for stamp in stamps:
        recorder._on_bodies(body_array(stamp), published(0.1))
        kept.append(len(recorder.moments))
    assert kept == [0, 1, 2]


def test_the_latency_of_meshes_is_that_of_the_last_of_each_image(recorder):
    marker = serialize_message(Marker(header=header(AT, "eye")))
    later = serialize_message(Marker(header=header(Stamp(1000, 600_000_000), "eye")))
    for data, after_s in ((marker, 0.02), (marker, 0.05), (later, 0.15)):
        recorder._on_mesh(data, published(after_s))
    assert recorder.latencies_s() == pytest.approx([0.05, 0.05])
    recorder.start_over()
    assert len(recorder.latencies_s()) == 0


def test_rates_are_between_the_first_and_the_last_message(recorder, monkeypatch):
    times_s = iter([10.0, 10.5, 12.0, 20.0, 30.0, 30.0, 40.0, 41.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(times_s))
    for _ in range(3):
        recorder._on_image(image_of((9, 9, 9)))
    recorder._on_bodies(body_array(), published(0.1))
    for _ in range(2):
        recorder._on_mesh(serialize_message(Marker(header=header(AT, "eye"))), published(0.1))
    rates = recorder.rates_hz()
    assert (rates["image"], rates["bodies"]) == (1.0, 0.0)
    assert rates["mesh"] > 1e6, "at the same time"
    assert recorder.last_bodies_s == 20.0
    for _ in range(2):
        recorder._on_bodies(body_array(), published(0.1))
    assert recorder.rates_hz()["bodies"] == pytest.approx(2 / 21)


def test_every_topic_has_its_rate(executor, recorder):
    assert {"image", "bodies", "mesh", "markers", "/tf"} == set(recorder.rates_hz())
    publishers = [
        recorder.create_publisher(kind, topic, 5) for kind, topic in ((MarkerArray, "markers"), (TFMessage, "/tf"))
    ]
    spin_until(executor, lambda: all(p.get_subscription_count() for p in publishers))
    for _ in range(2):
        for publisher in publishers:
            publisher.publish(publisher.msg_type())
    spin_until(executor, lambda: recorder.rates_hz()["markers"] > 0 and recorder.rates_hz()["/tf"] > 0)


def test_reports_of_other_nodes_and_other_numbers_are_left_out(recorder, monkeypatch):
    monkeypatch.setattr(recorder, "get_namespace", lambda: "/shown")
    values = []
    for hardware_id, name, key in (
        ("elsewhere/hmr", "hmr: bodies", OVERHEAD),
        ("shown/hmr", "hmr: engines", OVERHEAD),
        ("shown/hmr", "hmr: bodies", "people"),
        ("shown/hmr", "hmr: bodies", OVERHEAD),
    ):
        status = DiagnosticStatus(hardware_id=hardware_id, name=name, values=[KeyValue(key=key, value="4.5")])
        recorder._on_diagnostics(DiagnosticArray(status=[status]))
        values.append(recorder.overhead_ms)
    assert np.isnan(values[:3]).all()
    assert values[3] == 4.5
