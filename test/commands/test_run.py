# SPDX-License-Identifier: Apache-2.0
"""`hmr run` as its users start it, with the shipped networks; what needs none is tested first."""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from hmr_ros.cli import main
from hmr_ros.commands import run as run_module
from hmr_ros.core.config import PipelineSettings
from hmr_ros.core.manifest import models_dir
from hmr_ros.perception.detector import Detector
from hmr_ros.perception.pipeline import Pipeline
from hmr_ros.running import progress
from test.media.files import jpeg, write_clip

ROOT = Path(__file__).parents[2]
PHOTOS = ROOT / "test/data/photos"

needs_networks = pytest.mark.skipif(not (models_dir() / "pose2mesh.json").is_file(), reason="needs the trained network")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def no_networks(monkeypatch):
    """A pipeline that may not be opened: the mistake must be found before."""

    def opened(*_):
        pytest.fail("opened the networks first")

    monkeypatch.setattr(run_module, "assemble", opened)


def run(*arguments):
    """Exit status of `hmr run` in this process."""
    return main(["run", *map(str, arguments)])


def lines(directory):
    return [json.loads(line) for line in (directory / "bodies.jsonl").read_text().splitlines()]


@pytest.mark.usefixtures("no_networks")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["gone.jpg"], "gone.jpg: no such file"),
        (["empty"], "empty: no images in this directory"),
        (["text.mp4"], "text.mp4: not a video"),
        (["97"], "cannot open webcam 97"),
        (["photo.png", "--fov", "200"], "between 0 and 180"),
        (["photo.png", "--fov", "0"], "between 0 and 180"),
        (["photo.png", "--camera-info", "no.yaml"], "no.yaml"),
        (["photo.png", "--every", "0"], "every"),
        (["photo.png", "--mesh", "glb", "--mesh-every", "0"], "--mesh-every"),
        (["photo.png", "--start", "3"], "--start: only a video"),
        (["photo.png", "--seconds", "3"], "--seconds: only a video"),
        (["photo.png", "--keep-ids"], "--keep-ids: the ids of --detections"),
        (["photo.png", "--detections", "no.jsonl"], "no.jsonl"),
        (["photo.png", "--detections", "text.mp4"], "text.mp4, line 1: "),
        (["photo.png", "--out", "used"], "--overwrite"),
        (["photo.png", "--out", "text.mp4"], "is a file"),
    ],
)
def test_mistakes_are_named_before_any_work(here, capsys, arguments, words):
    (here / "empty").mkdir()
    (here / "used").mkdir()
    (here / "used" / "bodies.jsonl").write_text("{}\n")
    (here / "text.mp4").write_text("not a video")
    cv2.imwrite("photo.png", np.zeros((48, 64, 3), np.uint8))
    assert run(*arguments) == 1
    assert words in capsys.readouterr().err
    assert (here / "used" / "bodies.jsonl").read_text() == "{}\n"


@pytest.mark.parametrize(("option", "value"), [("--save", "json,mp3"), ("--save", ""), ("--model", "smplify")])
def test_words_that_mean_nothing_are_refused(here, capsys, option, value):
    with pytest.raises(SystemExit):
        run("photo.png", option, value)
    assert option in capsys.readouterr().err


def settings_of(*arguments):
    parser = argparse.ArgumentParser()
    run_module.add_arguments(parser)
    return run_module._request(parser.parse_args(arguments)).pipeline_settings()


def test_settings_have_the_defaults_of_the_pipeline():
    assert settings_of("photo.jpg") == PipelineSettings()
    assert settings_of("video.mp4", "--ground", "estimate").ground == "estimate"
    settings = settings_of(
        "photo.jpg", "--model", "both", "--max-people", "3", "--size", "1280x704", "--preset", "fast"
    )
    assert (settings.model, settings.max_people) == ("both", 3)
    assert (settings.detector.preset, settings.detector.size) == ("fast", "1280x704")


@pytest.fixture
def fake_pipeline(monkeypatch):
    """The shipped body model behind a detector without detections: quick, and without networks."""
    from hmr_ros.core.people import Detections
    from hmr_ros.core.temporal.smoothing import BodySmoother
    from hmr_ros.perception.assemble import open_body
    from hmr_ros.perception.tracker import Tracker

    class Blind(Detector):
        def detect(self, image, *_):
            return Detections.empty("blazepose")

    body_model = open_body()
    pipeline = Pipeline(Blind(), Tracker(), None, BodySmoother(body_model), body_model)
    monkeypatch.setattr(run_module, "assemble", lambda settings, parts: pipeline)
    return pipeline


@pytest.mark.usefixtures("fake_pipeline")
@pytest.mark.parametrize("has_tqdm", [True, False])
def test_a_directory_with_broken_images_is_read_as_far_as_it_can_be(here, capsys, monkeypatch, has_tqdm):
    if not has_tqdm:
        monkeypatch.setattr(progress, "tqdm", None)
    (here / "mixed").mkdir()
    grey, alpha, deep = np.full((48, 64), 9, np.uint8), np.full((48, 64, 4), 9, np.uint8), np.full((48, 64), 900, "u2")
    for name, image in (("a.png", grey), ("b.png", alpha), ("c.png", deep)):
        cv2.imwrite(f"mixed/{name}", image)
    Path("mixed/d.jpg").write_bytes(jpeg(np.zeros((48, 64, 3), np.uint8), orientation=6))
    Path("mixed/text.jpg").write_text("not an image")
    Path("mixed/cut.jpg").write_bytes(jpeg(np.zeros((48, 64, 3), np.uint8))[:-40])
    assert run("mixed") == 3
    printed = capsys.readouterr()
    assert "text.jpg: not an image" in printed.err
    assert "cut.jpg: not an image" in printed.err
    assert "2 images could not be read" in printed.out
    assert [line["image"] for line in lines(here / "out/run/mixed")] == ["a.png", "b.png", "c.png", "d.jpg"]
    upright = lines(here / "out/run/mixed")[3]["camera"]
    assert (upright["width"], upright["height"]) == (48, 64)
    assert {p.name for p in (here / "out/run/mixed/overlay").iterdir()} == {"a.png", "b.png", "c.png", "d.png"}


@pytest.mark.usefixtures("fake_pipeline")
def test_nothing_readable_is_a_failure(here, capsys):
    (here / "broken.jpg").write_text("not an image")
    assert run("broken.jpg") == 1
    assert "broken.jpg: not an image" in capsys.readouterr().err


@pytest.mark.usefixtures("fake_pipeline")
def test_a_video_without_frames_is_a_failure(here, capsys):
    write_clip(here / "empty.avi", frames=0)
    assert run("empty.avi") == 1
    assert "empty.avi: no frame" in capsys.readouterr().err


@pytest.mark.usefixtures("fake_pipeline")
def test_a_calibration_of_another_size_is_refused(here, capsys):
    cv2.imwrite("photo.png", np.zeros((48, 64, 3), np.uint8))
    assert run("photo.png", "--camera-info", ROOT / "samples/crossing.yaml") == 1
    assert "calibrates 768 x 576 px, an image has 64 x 48" in capsys.readouterr().err


@pytest.mark.usefixtures("fake_pipeline")
def test_a_video_is_written_at_its_own_pace(here):
    write_clip(here / "clip.avi", frames=7, rate_hz=12.0)
    assert run("clip.avi", "--every", 2, "--fov", 60) == 0
    assert [line["frame"] for line in lines(here / "out/run/clip")] == [0, 2, 4, 6]
    overlay = cv2.VideoCapture(str(here / "out/run/clip/overlay.mp4"))
    assert overlay.get(cv2.CAP_PROP_FPS) == pytest.approx(6.0, rel=1e-3)
    assert overlay.get(cv2.CAP_PROP_FRAME_COUNT) == 4


@pytest.mark.usefixtures("fake_pipeline")
def test_only_what_is_asked_for_is_written(here):
    cv2.imwrite("photo.png", np.zeros((48, 64, 3), np.uint8))
    assert run("photo.png", "--save", "json", "--out", "mine") == 0
    assert [path.name for path in (here / "mine").iterdir()] == ["bodies.jsonl"]


@pytest.mark.usefixtures("fake_pipeline")
def test_another_run_has_another_directory_unless_it_is_to_overwrite(here):
    cv2.imwrite("photo.png", np.zeros((48, 64, 3), np.uint8))
    for _ in range(2):
        assert run("photo.png") == 0
    assert {path.name for path in (here / "out/run").iterdir()} == {"photo", "photo-2"}
    assert run("photo.png", "--out", "out/run/photo", "--overwrite", "--save", "json") == 0
    assert [path.name for path in (here / "out/run/photo").rglob("*") if path.is_file()] == ["bodies.jsonl"]


@needs_networks
def test_a_photo_becomes_bodies_in_every_format(here):
    trimesh = pytest.importorskip("trimesh")
    arguments = [PHOTOS / "soccer.jpg", "--out", "out", "--save", "overlay,json,npz,obj", "--mesh", "glb"]
    assert run(*arguments) == 0
    (line,) = lines(here / "out")
    assert len(line["bodies"]) == 2
    with np.load("out/bodies.npz", allow_pickle=False) as arrays:
        assert arrays["ids"].tolist() == [body["id"] for body in line["bodies"]] == [1, 2]
        assert np.allclose(arrays["joints"], [body["joints"] for body in line["bodies"]], rtol=1e-5, atol=1e-5)
    for body in line["bodies"]:
        assert body["state"] == "TRACKED"
        assert 1 < body["cam_t"][2] < 20
        assert np.ptp(np.array(body["joints"])[:, 1]) == pytest.approx(1.5, abs=0.4)  # standing, ankle to head
    scene = trimesh.load_scene("out/meshes/soccer.glb")
    assert set(scene.geometry) == {"body_1", "body_2"}
    assert -20 < scene.bounds[0, 2] < scene.bounds[1, 2] < -1  # before the camera, which looks along -z
    assert (here / "out/meshes/soccer.obj").stat().st_size > 1e5
    photo, overlay = cv2.imread(str(PHOTOS / "soccer.jpg")), cv2.imread("out/overlay/soccer.png")
    assert overlay.shape == photo.shape
    assert 0.02 < (np.abs(photo.astype(int) - overlay).max(-1) > 30).mean() < 0.5


@needs_networks
def test_people_of_a_video_keep_their_ids_without_ros(here):
    """In a process of its own, with SIGTERM before the end: the files are whole, and hold what was done."""
    clip, calibration = ROOT / "samples/crossing.mp4", ROOT / "samples/crossing.yaml"
    code = "import sys; sys.modules['rclpy'] = None; from hmr_ros.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "run", clip, "--camera-info", calibration, "--start", "7", "--out", "out"]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    written = here / "out/bodies.jsonl"
    with subprocess.Popen(list(map(str, command)), env=environment, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            if written.exists() and written.read_bytes().count(b"\n") >= 4:  # the last line may be half there
                process.send_signal(signal.SIGTERM)
                break
            time.sleep(0.05)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    read = lines(here / "out")
    assert [line["frame"] for line in read] == list(range(70, 70 + len(read)))
    assert read[3]["stamp_s"] == pytest.approx(7.3)
    tracked = [{body["id"] for body in line["bodies"] if body["state"] == "TRACKED"} for line in read[1:4]]
    assert set.intersection(*tracked)
    with np.load("out/bodies.npz", allow_pickle=False) as arrays:
        assert len(arrays["image_frame"]) == len(read)
    assert cv2.VideoCapture("out/overlay.mp4").get(cv2.CAP_PROP_FRAME_COUNT) == len(read)


def labelled_boxes(name):
    """(P, 4) px around the labelled joints of a photo's people."""
    labels = json.loads((PHOTOS / "labels.json").read_text())
    photo = next(image["id"] for image in labels["images"] if image["file_name"] == name)
    boxes = []
    for person in (a for a in labels["annotations"] if a["image_id"] == photo):
        joints = np.array(person["keypoints"], float).reshape(-1, 3)
        joints = joints[joints[:, 2] > 0, :2]
        margin = 0.1 * np.ptp(joints, axis=0)
        boxes.append([*(joints.min(0) - margin), *(joints.max(0) + margin)])
    return boxes


@pytest.mark.slow
@needs_networks
def test_boxes_of_another_detector_take_the_place_of_the_search(here):
    boxes = labelled_boxes("basketball.jpg")
    ids = [100 + k for k in range(len(boxes))]
    Path("boxes.jsonl").write_text(json.dumps({"image": "basketball.jpg", "boxes": boxes, "ids": ids}))
    options = ("--detections", "boxes.jsonl", "--keep-ids", "--save", "json", "--out", "out", "--fov", 60)
    assert run(PHOTOS / "basketball.jpg", *options) == 0
    (line,) = lines(Path("out"))
    assert [body["id"] for body in line["bodies"]] == ids
    assert all(body["valid"] for body in line["bodies"])


@needs_networks
def test_keypoints_of_another_detector_need_no_network_that_finds_people(here):
    points = [[[150 + 3 * k, 60 + 15 * k, 0.8] for k in range(17)]]
    Path("keypoints.jsonl").write_text(json.dumps({"frame": 0, "keypoints": points}))
    cv2.imwrite("photo.png", np.zeros((480, 640, 3), np.uint8))
    assert run("photo.png", "--detections", "keypoints.jsonl", "--save", "json", "--out", "out") == 0
    (body,) = lines(Path("out"))[0]["bodies"]
    assert np.array(body["kp2d"]).tolist() == [[x, y] for x, y, _ in points[0]]
