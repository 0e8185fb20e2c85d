# SPDX-License-Identifier: Apache-2.0
import signal
import subprocess
import sys

import cv2
import numpy as np
import pytest
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from hmr_ros.ros.player import player as player_module
from hmr_ros.ros.player.shots import open_show
from test.ros.graph import qos, spin_until


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
        _, errors = process.communicate(timeout=20)
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
