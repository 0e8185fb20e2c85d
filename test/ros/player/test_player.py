# SPDX-License-Identifier: Apache-2.0
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from rclpy.node import Node
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from hmr_ros.core.share import share_dir
from hmr_ros.ros.input.images import decode_compressed_image, decode_image
from hmr_ros.ros.player import calibration
from hmr_ros.ros.player import player as player_module
from hmr_ros.ros.player.shots import open_show
from test.ros.graph import PATIENCE_S, qos, spin_until


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), np.full((48, 64, 3), (10, 20, 30), np.uint8))
    return path


def player(*arguments):
    return [sys.executable, "-m", "hmr_ros.ros.player.player", *map(str, arguments)]


@pytest.mark.parametrize("compressed", [False, True])
def test_images_and_calibration_share_stamp_and_frame(executor, photo, compressed):
    peer = Node("peer", namespace="/played")
    executor.add_node(peer)
    images, infos = [], []
    topic, kind = ("cam/image/compressed", CompressedImage) if compressed else ("cam/image", Image)
    peer.create_subscription(kind, topic, images.append, qos(depth=50))
    peer.create_subscription(CameraInfo, "cam/camera_info", infos.append, qos(depth=50))
    options = ["--fov", 60, "--frame-id", "eye", "--wait", 1, *(["--compressed"] if compressed else [])]
    remaps = ["-r", "__ns:=/played", "-r", "image:=cam/image", "-r", "camera_info:=cam/camera_info"]
    with subprocess.Popen(player(photo, "--loop", *options, "--ros-args", *remaps)) as process:
        try:
            spin_until(executor, lambda: len(images) > 2 and len(infos) > 2)
        finally:
            process.terminate()
    stamps = {(m.header.stamp.sec, m.header.stamp.nanosec) for m in images}
    assert stamps & {(m.header.stamp.sec, m.header.stamp.nanosec) for m in infos}
    assert {m.header.frame_id for m in [*images, *infos]} == {"eye"}
    assert (infos[0].width, infos[0].height) == (64, 48)
    if not compressed:
        assert bytes(images[0].data[:3]) == bytes([10, 20, 30])
        assert images[0].encoding == "bgr8"


class Screen:
    """Replaces the player: records what it is asked to publish."""

    def __init__(self, context):
        self.context = context
        self.shown = []

    def publish(self, image):
        self.shown.append(int(image.mean()))


def test_a_black_image_comes_between_the_images_of_a_directory(executor, tmp_path, monkeypatch):
    monkeypatch.setattr(player_module, "_SCENE_GAP_S", 0.0)
    monkeypatch.setattr(player_module, "_BLACK_S", 0.0)
    for value in (90, 180):
        cv2.imwrite(str(tmp_path / f"{value:03}.png"), np.full((8, 8, 3), value, np.uint8))
    screen = Screen(executor.context)
    player_module.play(screen, open_show(str(tmp_path)), 1e4, loop=False)
    assert screen.shown == [0, *[90] * 10, 0, *[180] * 10]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["nothing.mp4"], "nothing.mp4: no such file"), (["photo.png", "--camera-info", "no.yaml"], "no.yaml")],
)
def test_mistakes_are_named(photo, arguments, words):
    done = subprocess.run(player(*arguments), cwd=photo.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_status_0_and_in_silence(executor, photo, number):
    """Twice, as from a terminal below ros2 launch, and in the middle of publishing, where it is most of the time."""
    cv2.imwrite(str(photo), np.zeros((1080, 1920, 3), np.uint8))
    peer, images = Node("peer", namespace="/ended"), []
    executor.add_node(peer)
    peer.create_subscription(CompressedImage, "image/compressed", images.append, qos())
    options = ["--loop", "--rate", 1e4, "--fov", 60, "--compressed", "--ros-args", "-r", "__ns:=/ended"]
    with subprocess.Popen(player(photo, *options), stderr=subprocess.PIPE, text=True) as process:
        spin_until(executor, lambda: images)
        process.send_signal(number)
        process.send_signal(number)
        _, errors = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize("step", ["rclpy.init", "player.open_show", "player.Player.publish", "rclpy.try_shutdown"])
def test_a_signal_at_any_step_ends_it_with_status_0(photo, step):
    script = f"""if True:
        import signal, sys
        import rclpy
        from hmr_ros.ros.player import player
        {step} = lambda *arguments, **named: signal.raise_signal(signal.SIGINT)
        sys.exit(player.main([{str(photo)!r}, "--fov", "60", "--rate", "1000"]))"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_simulated_time_is_refused(photo):
    command = player(photo, "--fov", 60, "--ros-args", "-p", "use_sim_time:=true")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "hmr_player: use_sim_time: images are stamped with the time at which they are played" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_assumed_field_of_view_is_reported(photo):
    done = subprocess.run(player(photo, "--rate", 100), capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "assuming a field of view of 60" in done.stderr


class Publisher:
    """Keeps what is published in the ``sent`` of all of them."""

    def __init__(self, topic, sent):
        self.topic, self.sent = topic, sent

    def publish(self, message):
        self.sent.append((self.topic, message))


@pytest.fixture
def made(monkeypatch):
    """A player by its options; ``sent`` is what it publishes."""
    nodes = []

    def make(compressed=False):
        node = player_module.Player(calibration.from_focal_length(70.0), "eye", compressed=compressed)
        nodes.append(node)
        node.sent = []
        topics = {node._images: node._images.topic_name, node._infos: node._infos.topic_name}
        node._images, node._infos = (Publisher(topic, node.sent) for topic in topics.values())
        return node

    yield make
    for node in nodes:
        node.destroy_node()


COLOURS = np.full((48, 64, 3), (200, 20, 30), np.uint8)


def test_the_image_is_sent_before_its_calibration(made):
    node = made()
    node.publish(COLOURS)
    (topic, data), (info_topic, info) = node.sent
    assert (topic, info_topic) == ("/image", "/camera_info")
    frame = decode_image(data)
    assert np.array_equal(frame.image, COLOURS[..., ::-1])
    assert (frame.stamp.sec, frame.stamp.nanosec) == (info.header.stamp.sec, info.header.stamp.nanosec)
    assert (info.width, info.height, info.header.frame_id, frame.frame_id) == (64, 48, "eye", "eye")
    assert abs(frame.stamp.seconds - time.time()) < 60


def test_a_jpeg_is_sent_below_the_topic_of_images(made):
    node = made(compressed=True)
    node.publish(COLOURS)
    topic, data = node.sent[0]
    assert topic == "/image/compressed"
    message = deserialize_message(data, CompressedImage)
    assert message.format == "jpeg"
    assert bytes(message.data[:2]) == b"\xff\xd8"
    assert np.abs(decode_compressed_image(data).image.astype(int) - COLOURS[..., ::-1]).max() < 6
    assert len(message.data) < COLOURS.size / 4


@pytest.mark.parametrize(("subscribers", "waits_s"), [((0, 0, 2), 0.04), ((2,), 0.0), ((1, 3), 0.02), ((1,) * 99, 0.5)])
def test_subscribers_are_waited_for_but_not_for_ever(made, monkeypatch, subscribers, waits_s):
    node, counts, now_s = made(), iter(subscribers), [7.0]
    monkeypatch.setattr(node._images, "get_subscription_count", lambda: next(counts), raising=False)
    monkeypatch.setattr(player_module, "_POLL_S", 0.02)
    clock = SimpleNamespace(monotonic=lambda: now_s[0], sleep=lambda s: now_s.append(now_s.pop() + s))
    monkeypatch.setattr(player_module, "time", clock)
    node.wait_for_subscribers(2, 0.5)
    assert now_s[0] - 7.0 == pytest.approx(waits_s, abs=0.021 if waits_s == 0.5 else 1e-9)


@pytest.mark.parametrize(
    ("options", "focal_px", "is_assumed"),
    [
        (["--focal", "77"], 77.0, False),
        (["--fov", "90"], 320.0, False),
        ([], 320 / np.tan(np.pi / 6), True),
        (["--camera-info", str(share_dir() / "samples" / "crossing.yaml")], 1185.01, False),
    ],
)
def test_the_camera_is_that_of_the_options(capsys, options, focal_px, is_assumed):
    calibrate = player_module._calibration(player_module._parser().parse_args(["clip.mp4", *options]), "hmr_player")
    size = (768, 576) if "--camera-info" in options else (640, 480)
    assert calibrate(*size).k[0] == pytest.approx(focal_px)
    assert ("hmr_player: assuming a field of view of 60 degrees" in capsys.readouterr().err) == is_assumed


def test_two_cameras_at_once_are_refused(capsys):
    with pytest.raises(SystemExit):
        player_module._parser().parse_args(["clip.mp4", "--fov", "60", "--focal", "70"])
    assert "not allowed with" in capsys.readouterr().err


@pytest.fixture
def run(monkeypatch):
    """main() with these arguments, without ROS; what was played, and how."""
    calls = {"signals": []}

    class Silent:
        def __init__(self, calibrate, frame_id, *, compressed):
            calls["player"] = frame_id, compressed

        def refuse_simulated_time(self):
            pass

        def wait_for_subscribers(self, count, timeout_s):
            calls["wait"] = count, timeout_s

    def play(player, source, rate_hz, *, loop):
        calls["played"] = source.rate_hz, rate_hz, loop

    monkeypatch.setattr(player_module.rclpy, "init", lambda args, signal_handler_options: calls.update(args=args))
    monkeypatch.setattr(player_module.rclpy, "try_shutdown", lambda: calls.update(ended=True))
    monkeypatch.setattr(player_module.signal, "signal", lambda *args: calls["signals"].append(args))
    monkeypatch.setattr(player_module, "Player", Silent)
    monkeypatch.setattr(player_module, "play", play)

    def run(*arguments):
        assert player_module.main([*map(str, arguments)]) == 0
        return calls

    return run


def test_without_options_a_source_is_played_once_at_its_own_rate(run, photo):
    calls = run(photo)
    assert calls["played"] == (10.0, 10.0, False)
    assert calls["player"] == ("camera_optical_frame", False)
    assert "wait" not in calls
    assert calls["ended"]


def test_options_decide_how_a_source_is_played(run, photo):
    calls = run(
        photo, "--rate", 25, "--loop", "--compressed", "--frame-id", "eye", "--wait", 2, "--ros-args", "-r", "a:=b"
    )
    assert calls["played"] == (10.0, 25.0, True)
    assert calls["player"] == ("eye", True)
    assert calls["wait"] == (2, 30.0)
    assert calls["args"][-3:] == ["--ros-args", "-r", "a:=b"]


def test_signals_end_the_playing_and_are_ignored_once_it_ends(run, photo):
    both = (signal.SIGINT, signal.SIGTERM)
    assert run(photo)["signals"] == [(s, h) for h in (signal.default_int_handler, signal.SIG_IGN) for s in both]
