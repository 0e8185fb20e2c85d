# SPDX-License-Identifier: Apache-2.0
"""`hmr demo` as its users start it."""

import argparse
import importlib.util
import os
import subprocess
import sys
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from hmr_ros.commands import demo as demo_command
from hmr_ros.core.manifest import models_dir

needs_ros = pytest.mark.skipif(
    importlib.util.find_spec("rclpy") is None or importlib.util.find_spec("hmr_ros.msg") is None,
    reason="needs ROS 2 and the built workspace",
)


def demo(*arguments, cwd):
    environment = {"ROS_DOMAIN_ID": str(101 + os.getpid() % 100)} | os.environ  # unless the caller has chosen one
    command = [sys.executable, "-m", "hmr_ros.cli", "demo", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=120)


@needs_ros
@pytest.mark.ros
@pytest.mark.parametrize(
    ("source", "words"),
    [("my.mp4", "my.mp4: no such file"), ("97", "cannot open webcam 97"), (".", "no images in this directory")],
)
def test_sources_that_cannot_be_played_are_named(tmp_path, source, words):
    done = demo("--source", source, cwd=tmp_path)
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@needs_ros
@pytest.mark.ros
def test_a_node_that_cannot_start_ends_the_demo_with_its_reason(tmp_path):
    cv2.imwrite(str(tmp_path / "photo.png"), np.zeros((48, 64, 3), np.uint8))
    done = demo("--source", "photo.png", "-p", "max_people:=99", cwd=tmp_path)
    assert done.returncode == 1
    assert "max_people" in done.stderr
    assert "the node ended with status 1" in done.stderr


@needs_ros
@pytest.mark.ros
@pytest.mark.slow
@pytest.mark.skipif(not (models_dir() / "pose2mesh.json").is_file(), reason="needs the trained network")
def test_the_sample_clip_shows_people(tmp_path):
    done = demo("--seconds", 6, "--out", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "people seen" in done.stdout
    for name in ("overlay.mp4", "sheet.png", "space.png"):
        assert (tmp_path / "out" / name).stat().st_size > 1000


def test_the_ground_is_a_parameter_of_the_node(monkeypatch):
    played = []
    play = SimpleNamespace(DemoError=OSError, Options=lambda *options: options, play=played.append)
    monkeypatch.setattr(demo_command, "_is_importable", lambda module: True)
    monkeypatch.setitem(sys.modules, "hmr_ros.demo.play", play)
    parser = argparse.ArgumentParser()
    demo_command.add_arguments(parser)
    own = ["--source", "clip.mp4"]
    for arguments, parameters in (
        ([*own, "--ground", "estimate", "-p", "max_people:=4"], ["ground:=estimate", "max_people:=4"]),
        ([*own, "-p", "max_people:=4"], ["max_people:=4"]),
        ([], ["ground:=estimate"]),  # the camera of the sample clip stands still
        (["--ground", "none"], ["ground:=none"]),
    ):
        assert demo_command.run(parser.parse_args(arguments)) == 0
        assert played[-1][-1] == parameters
