# SPDX-License-Identifier: Apache-2.0
import dataclasses
import itertools

import numpy as np
import pytest
import rclpy
from rclpy.context import Context
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, PointCloud2

from hmr_ros.core.config import RobotConfig
from hmr_ros.ros.input import camera_info
from hmr_ros.ros.input.camera_info import CameraInfoInput, camera_info_topic
from hmr_ros.ros.input.fixed_frames import FixedFrames
from hmr_ros.ros.input.images import Frame, decode_image
from hmr_ros.ros.input.inputs import CameraInput
from hmr_ros.ros.input.subscriptions import AdaptiveSubscription
from hmr_ros.ros.monitor import Monitor
from hmr_ros.ros.player import calibration
from hmr_ros.ros.wire.cdr import Stamp, write_image
from test.ros.graph import FakeCamera, qos, spin_until

BEST_EFFORT, RELIABLE = ReliabilityPolicy.BEST_EFFORT, ReliabilityPolicy.RELIABLE
VOLATILE, LATCHED = DurabilityPolicy.VOLATILE, DurabilityPolicy.TRANSIENT_LOCAL


def added(executor, name, **options):
    node = Node(name, **options)
    executor.add_node(node)
    return node


@pytest.mark.parametrize(
    ("reliability", "durability", "depth"),
    list(itertools.product([BEST_EFFORT, RELIABLE], [VOLATILE, LATCHED], [1, 10])),
)
def test_every_quality_of_service_is_received_at_its_best(executor, reliability, durability, depth):
    camera = added(executor, "camera")
    publisher = camera.create_publisher(CameraInfo, "info", qos(reliability, durability, depth))
    received = []
    subscriber = added(executor, "subscriber")
    subscription = AdaptiveSubscription(subscriber, CameraInfo, "info", received.append)

    def arrived():
        subscription.adapt()
        publisher.publish(CameraInfo())
        return received

    spin_until(executor, arrived)
    (profile,) = [info.qos_profile for info in subscriber.get_subscriptions_info_by_topic("/info")]
    assert (profile.reliability, profile.durability) == (reliability, durability)


def test_one_weak_publisher_among_two_decides(executor):
    camera = added(executor, "camera")
    publishers = [camera.create_publisher(CameraInfo, "info", qos(r)) for r in (RELIABLE, BEST_EFFORT)]
    subscriber = added(executor, "subscriber")
    subscription = AdaptiveSubscription(subscriber, CameraInfo, "info", print)
    spin_until(executor, lambda: len(subscription.publishers()) == len(publishers))
    subscription.adapt()
    (info,) = subscriber.get_subscriptions_info_by_topic("/info")
    assert info.qos_profile.reliability == BEST_EFFORT


@pytest.mark.parametrize(
    ("remaps", "expected"),
    [
        ([], "/robot/camera_info"),
        (["-r", "image:=/cam/image_raw"], "/cam/camera_info"),
        (["-r", "image:=/cam/image_raw", "-r", "camera_info:=/cam/calibration"], "/cam/calibration"),
        (["-r", "image:=/image"], "/camera_info"),
    ],
)
def test_calibration_is_looked_for_beside_the_image(executor, remaps, expected):
    node = added(executor, "hmr", namespace="/robot", cli_args=["--ros-args", *remaps] if remaps else [])
    assert camera_info_topic(node, node.resolve_topic_name("image")) == expected


def camera_input(executor, config=None, **options):
    node = added(executor, "hmr", **options)
    monitor = Monitor()
    return CameraInput(node, config or RobotConfig(), monitor, FixedFrames(None)), monitor


def with_an_image(executor):
    """The input, the camera that it subscribes, and a decoded image of it."""
    source, _ = camera_input(executor)
    camera = FakeCamera(added(executor, "camera"))
    spin_until(executor, lambda: camera.images.get_subscription_count() and camera.infos.get_subscription_count())
    camera.publish_image()
    frame = decode_image(_taken(executor, source))
    return source, camera, frame


def test_only_the_newest_image_waits_and_the_others_are_counted(executor):
    source, monitor = camera_input(executor)
    camera = FakeCamera(added(executor, "camera"))
    spin_until(executor, camera.images.get_subscription_count)
    last = None
    for sent in range(1, 4):
        last = camera.publish_image()
        spin_until(executor, lambda: monitor.received_count >= sent)  # noqa: B023  # used at once
    assert decode_image(source.slot.take()).stamp == last
    assert monitor.drops() == {"replaced_by_newer": 2}
    source.close()
    assert source.slot.take() is None


def test_an_image_gets_its_camera_or_one_warning(executor):
    source, camera, frame = with_an_image(executor)
    assert source.camera(frame, 60.0) is None  # no calibration yet: too early for a warning
    assert source.calibration_problem() == ""

    camera.publish_info(CameraInfo(width=640, height=480))
    spin_until(executor, lambda: source.camera(frame, 60.0) is None and source.calibration_problem())
    assert "not calibrated" in source.calibration_problem()

    camera.publish_info()
    spin_until(executor, lambda: source.camera(frame, 60.0) is not None)
    assert source.camera(frame, 60.0).K[0, 0] == 500
    assert source.calibration_problem() == ""


def test_an_image_takes_the_newest_calibration_of_its_size(executor):
    source, camera, frame = with_an_image(executor)
    for focal_px in (600.0, 700.0):
        camera.publish_info(calibration.from_focal_length(focal_px)(640, 480))
        spin_until(executor, lambda: (found := source.camera(frame, 60.0)) and found.K[0, 0] == focal_px)  # noqa: B023
    camera.publish_info(calibration.from_focal_length(800.0)(320, 240))  # the next image will be a smaller one
    for _ in range(20):
        executor.spin_once(timeout_sec=0.02)
    assert source.camera(frame, 60.0).K[0, 0] == 700


def test_a_calibration_that_is_repeated_is_read_once(executor):
    source, camera, frame = with_an_image(executor)
    camera.publish_info()
    spin_until(executor, lambda: source.camera(frame, 60.0))
    first = source.camera(frame, 60.0)
    for _ in range(3):
        camera.publish_info()  # under another stamp
        executor.spin_once(timeout_sec=0.2)
    assert source.camera(frame, 60.0) is first


def test_a_broken_calibration_is_reported(executor):
    source, _ = camera_input(executor)
    camera = FakeCamera(added(executor, "camera"))
    spin_until(executor, camera.infos.get_subscription_count)
    camera.infos.publish(b"\0\1\0\0" + bytes(20))
    spin_until(executor, source.calibration_problem)
    assert "CameraInfo on /camera_info cannot be read" in source.calibration_problem()


def test_calibration_of_another_frame_is_used_and_reported(executor):
    source, camera, frame = with_an_image(executor)
    camera.publish_info()
    spin_until(executor, lambda: source.camera(frame, 60.0) is not None)
    other = dataclasses.replace(frame, frame_id="left_optical_frame")
    assert source.camera(other, 60.0) is not None
    assert "'left_optical_frame'" in source.calibration_problem()
    assert "'camera_optical_frame'" in source.calibration_problem()
    assert source.camera(frame, 60.0) is not None
    assert source.calibration_problem() == ""
    assert source.camera(dataclasses.replace(frame, frame_id=""), 60.0) is not None
    assert "images have no header.frame_id" in source.calibration_problem()


@pytest.mark.parametrize(
    ("images", "infos", "durability", "warned"),
    [(2, 4, VOLATILE, 0), (2, 9, VOLATILE, 1), (9, 2, VOLATILE, 1), (9, 0, VOLATILE, 0), (9, 1, LATCHED, 0)],
)
def test_calibration_at_another_rate_than_the_images_is_reported(
    executor, monkeypatch, capfd, images, infos, durability, warned
):
    monkeypatch.setattr(camera_info, "_WINDOW_S", 0.0)
    publisher = added(executor, "camera").create_publisher(CameraInfo, "camera_info", qos(durability=durability))
    source = CameraInfoInput(hmr := added(executor, "hmr"), "/image", rectified=False)
    spin_until(executor, lambda: hmr.count_publishers(source.topic) and publisher.get_subscription_count())
    source.adapt(images_received=100)
    spin_until(executor, publisher.get_subscription_count)
    for number in range(1, infos + 1):
        publisher.publish(calibration.from_focal_length(100.0 * number)(640, 480))
        spin_until(executor, lambda: (found := source.camera(FRAME, 60.0)) and found.K[0, 0] == 100 * number)  # noqa: B023
    source.adapt(images_received=100 + images)
    source.adapt(images_received=100 + images)  # nothing new
    assert capfd.readouterr().err.count("is this the calibration of this camera?") == warned


def test_calibration_at_another_rate_is_reported_once(executor, monkeypatch, capfd):
    monkeypatch.setattr(camera_info, "_WINDOW_S", 0.0)
    publisher = added(executor, "camera").create_publisher(CameraInfo, "camera_info", qos())
    source = CameraInfoInput(added(executor, "hmr"), "/image", rectified=False)
    spin_until(executor, publisher.get_subscription_count)
    source.adapt(images_received=0)
    for number in (1, 2):
        publisher.publish(calibration.from_focal_length(100.0 * number)(640, 480))
        spin_until(executor, lambda: (found := source.camera(FRAME, 60.0)) and found.K[0, 0] == 100 * number)  # noqa: B023
        source.adapt(images_received=10 * number**2)
    assert capfd.readouterr().err.count("is this the calibration of this camera?") == 1


def test_images_of_an_earlier_activation_are_not_compared_with_calibration(executor, monkeypatch, capfd):
    monkeypatch.setattr(camera_info, "_WINDOW_S", 0.0)
    publisher = added(executor, "camera").create_publisher(CameraInfo, "camera_info", qos())
    source = CameraInfoInput(added(executor, "hmr"), "/image", rectified=False)
    spin_until(executor, publisher.get_subscription_count)
    publisher.publish(calibration.from_focal_length(100.0)(640, 480))
    spin_until(executor, lambda: source.camera(FRAME, 60.0))
    source.adapt(images_received=700)
    assert "is this the calibration" not in capfd.readouterr().err


FRAME = Frame(Stamp(1, 0), "camera_optical_frame", np.zeros((480, 640, 3), np.uint8))


def _taken(executor, source):
    spin_until(executor, lambda: source.slot.has_item)
    return source.slot.take()


def test_silence_is_explained(executor):
    source, _ = camera_input(executor)
    assert source.problem(timeout_s=60.0) == ""
    assert source.problem(timeout_s=0.0).startswith("no publisher of /image nor of other images")
    FakeCamera(added(executor, "elsewhere"), image_topic="front/image_raw")
    spin_until(executor, lambda: "images on /front/image_raw: launch with" in source.problem(timeout_s=0.0))
    FakeCamera(added(executor, "zipped"), image_topic="image/compressed", compressed=True)
    spin_until(executor, lambda: "image_transport to compressed" in source.problem(timeout_s=0.0))
    FakeCamera(added(executor, "camera"))
    spin_until(executor, lambda: "fastdds.xml" in source.problem(timeout_s=0.0))


@pytest.fixture
def driver():
    """A node of another process, as DDS sees it: in one process a topic has one type."""
    context = Context()
    rclpy.init(context=context)
    node = Node("driver", context=context)
    yield node
    node.destroy_node()
    context.try_shutdown()


def explained(executor, peer, config, topic, *types, remaps=()):
    """Why no image arrives where ``peer`` publishes ``types`` on ``topic``, once all are known."""
    for kind, suffix in types:
        peer.create_publisher(kind, topic + suffix, qos())
    source, _ = camera_input(executor, config, cli_args=["--ros-args", *remaps] if remaps else [])
    node = executor.get_nodes()[-1]
    spin_until(executor, lambda: all(node.count_publishers(topic + suffix) for _, suffix in types))
    problem = source.problem(timeout_s=0.0)
    source.close()
    return problem


RAW, COMPRESSED = RobotConfig(), RobotConfig(image_transport="compressed")


@pytest.mark.parametrize("config", [RAW, COMPRESSED])
def test_compressed_images_under_a_raw_name_are_explained(executor, driver, config):
    problem = explained(
        executor, driver, config, "/cam/color", (CompressedImage, ""), remaps=["-r", "image:=/cam/color"]
    )
    assert "/cam/color carries sensor_msgs/msg/CompressedImage under a name without /compressed" in problem
    assert "set image_transport to compressed, and remap image/compressed:=/cam/color" in problem


def test_the_remedy_for_compressed_images_under_a_raw_name_works(executor):
    remaps = ["-r", "image:=/cam/color", "-r", "image/compressed:=/cam/color"]
    camera = FakeCamera(added(executor, "camera"), "/cam/color", "/cam/camera_info", compressed=True)
    source, monitor = camera_input(executor, COMPRESSED, cli_args=["--ros-args", *remaps])
    spin_until(executor, lambda: camera.images.get_subscription_count() and camera.infos.get_subscription_count())
    camera.publish_image()
    spin_until(executor, lambda: monitor.received_count)
    assert source.problem(timeout_s=60.0) == ""


def test_two_cameras_on_one_topic_are_named(executor, capfd):
    source, _ = camera_input(executor)
    FakeCamera(added(executor, "left"))
    spin_until(executor, lambda: len(source._images.publishers()) == 1)
    assert source.calibration_problem() == ""
    FakeCamera(added(executor, "right", namespace="/cam"), image_topic="/image")
    spin_until(executor, lambda: source.calibration_problem())
    words = "/image has 2 publishers (/cam/right, /left): give each camera its own topic"
    assert source.calibration_problem() == words
    source.adapt()
    source.adapt()
    assert capfd.readouterr().err.count(words) == 1


def test_another_type_is_named(executor, driver):
    problem = explained(executor, driver, RAW, "/image", (PointCloud2, ""))
    assert "/image: it carries sensor_msgs/msg/PointCloud2, expected sensor_msgs/msg/Image" in problem


def test_other_transports_are_named(executor, driver):
    problem = explained(executor, driver, RAW, "/image", (CompressedImage, "/compressed"), (PointCloud2, "/zstd"))
    assert problem.endswith("there is a publisher of /image/compressed: set image_transport to compressed")
    problem = explained(
        executor, driver, COMPRESSED, "/picture", (PointCloud2, "/zstd"), remaps=["-r", "image:=/picture"]
    )
    assert "but of /picture/zstd (sensor_msgs/msg/PointCloud2): publish a transport raw or compressed" in problem


def test_calibration_of_another_type_is_named(executor, driver):
    source, _ = camera_input(executor)
    driver.create_publisher(CompressedImage, "camera_info", qos())

    def told():
        assert source.camera(FRAME, 0.0) is None
        words = "no CameraInfo on /camera_info: it carries sensor_msgs/msg/CompressedImage"
        return words in source.calibration_problem()

    spin_until(executor, told)


def test_a_leading_slash_of_a_frame_is_ignored(executor):
    source, camera, frame = with_an_image(executor)
    info = calibration.from_focal_length(500.0)(640, 480)
    info.header.frame_id = "/camera_optical_frame"
    camera.infos.publish(info)
    spin_until(executor, lambda: source.camera(frame, 60.0))
    assert source.calibration_problem() == ""
    slashed = write_image(Stamp(1, 0), "/cam", np.zeros((4, 6, 3), np.uint8), "rgb8")
    assert decode_image(slashed).frame_id == "cam"
