# SPDX-License-Identifier: Apache-2.0
"""The tutorials' commands, one after the other, with files as their readers have them and the shipped networks."""

import importlib.util
import os
import shutil
from pathlib import Path

import cv2
import pytest

pytest.importorskip("mcap")
pytest.importorskip("rosbags")

from hmr_ros.cli import main
from hmr_ros.core.camera import Camera
from hmr_ros.core.manifest import models_dir
from hmr_ros.media.sources import Excerpt, open_source
from hmr_ros.ros.wire.cdr import write_compressed_image
from hmr_ros.ros.wire.encoding import serialise
from hmr_ros.ros.wire.messages import header
from hmr_ros.ros.wire.types import CameraInfo
from test.ros.bag.recordings import BEGAN_NS, FRAME, INFO, Said, stamp, transform, write_mcap, write_rosbag2
from test.tutorials.pages import ROOT, blocks

pytestmark = pytest.mark.skipif(not (models_dir() / "pose2mesh.json").is_file(), reason="needs the trained network")
SAMPLES = ROOT / "samples"
CLIP_S = 1.5


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty current directory, and one for what programs keep."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "work"


def photo():
    shutil.copy(ROOT / "test/data/photos/soccer.jpg", "photo.jpg")


def clip(path="clip.mp4"):
    shutil.copy(SAMPLES / "crossing.mp4", path)


def recorded():
    """The sample clip's first images as a camera publishes them, on a robot that drives."""
    camera = Camera.from_yaml(SAMPLES / "crossing.yaml")
    said = [transform(BEGAN_NS, "base_footprint", FRAME)]
    for frame in open_source(str(SAMPLES / "crossing.mp4")).frames(Excerpt(seconds=CLIP_S)):
        ns = BEGAN_NS + round(frame.stamp_s * 1e9)
        jpeg = cv2.imencode(".jpg", frame.bgr)[1].ravel()
        info = CameraInfo(header=header(stamp(ns), FRAME), width=camera.width, height=camera.height)
        info.distortion_model, info.d, info.k = "plumb_bob", list(camera.D), camera.K.ravel()
        said += [
            Said(INFO, ns, serialise(info)),
            transform(ns, "odom", "base_footprint", x=0.1 * frame.stamp_s, topic="/tf"),
            Said("/camera/image_raw/compressed", ns, write_compressed_image(stamp(ns), FRAME, jpeg, "jpeg")),
        ]
    return said


def bag():
    write_rosbag2(Path("my_bag"), recorded(), "MCAP")


def bags():
    Path("recordings").mkdir()
    write_mcap(Path("recordings/a1.mcap"), recorded()[:19])
    shutil.copy(ROOT / "test/data/photos/soccer.jpg", "recordings/photo.jpg")
    Path("recordings/a2.mp4").write_text("broken")


def motion():
    pytest.importorskip("torch")
    from test.training.motion.bvh_files import PARENT, smooth_angles, write_bvh

    Path("my_motion").mkdir()
    for name in ("07_01", "08_01", "15_01", "35_02"):
        write_bvh(Path(f"my_motion/{name}.bvh"), smooth_angles(241, len(PARENT), scale=60.0))
    Path("split.txt").write_text("07 val\n")
    photo()


def run_page(name, stands_for=(), statuses=()):
    """Run what the page shows: ``stands_for`` other words; ``statuses`` other than 0, by a command's last word."""
    words_for, status_of = dict(stands_for), dict(statuses)
    for block in blocks(ROOT / f"docs/tutorials/{name}.md"):
        if block.language == "python":
            exec(compile(block.text, name, "exec"), {})
        for words in block.commands if not block.language else ():
            status = main([words_for.get(word, word) for word in words[1:]])
            assert status == status_of.get(words[-1], 0), words


def test_my_first_photo(here, capsys):
    photo()
    run_page("first_photo")
    assert (here / "out/run/photo/overlay/photo.png").is_file()
    printed = capsys.readouterr().out
    assert "person 1: " in printed
    assert "(2, 6890, 3)" in printed


@pytest.mark.slow
def test_my_bag(here, capsys):
    """The last command goes on with a whole result, which is nothing to do."""
    bag()
    run_page("my_bag")
    assert (here / "try/overlay.mp4").is_file()
    assert (here / "results/bodies.mcap").is_file()
    assert "[(1, [" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of libraries that ROS 2 loads
def test_my_camera(here, monkeypatch):
    """The sample clip stands for the webcam; what needs a camera's driver is not run."""
    if importlib.util.find_spec("hmr_ros.msg") is None:
        pytest.skip("needs the built ROS workspace")
    monkeypatch.setenv("ROS_DOMAIN_ID", os.environ.get("ROS_DOMAIN_ID", str(101 + os.getpid() % 100)))
    clip("webcam.mp4")
    run_page("my_camera", stands_for={"0": "webcam.mp4"})
    assert (here / "webcam/overlay.mp4").is_file()
    assert (here / "over_dds/overlay.mp4").is_file()


@pytest.mark.slow
def test_my_mobile_base(here, capsys):
    """A recording stands for the robot."""
    bag()
    run_page("mobile_base")
    assert "odom" not in capsys.readouterr().err  # no transform is missing
    assert (here / "on_floor/bodies.mcap").is_file()


@pytest.mark.slow
def test_my_jetson(here, capsys):
    """As far as a machine without a GPU goes."""
    clip()
    run_page("jetson")
    assert (here / "fast/bodies.jsonl").is_file()


@pytest.mark.slow
def test_my_thousand_bags(here, capsys):
    pytest.importorskip("pyarrow")
    bags()
    run_page("thousand_bags", statuses={"first": 3, "results": 3})
    assert len(list(here.glob("results/*/run.json"))) == 2
    assert "not a video" in capsys.readouterr().out


@pytest.mark.slow
def test_train_on_my_motion(here):
    motion()
    run_page("train_on_my_motion")
    assert (here / "with_mine/bodies.jsonl").is_file()
