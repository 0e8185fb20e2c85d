# SPDX-License-Identifier: Apache-2.0
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


def test_an_assumed_field_of_view_is_reported(photo):
    done = subprocess.run(player(photo, "--rate", 100), capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "assuming a field of view of 60" in done.stderr
