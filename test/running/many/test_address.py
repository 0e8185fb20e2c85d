# SPDX-License-Identifier: Apache-2.0
import shutil
from pathlib import Path

import pytest

from hmr_ros.media.sources import Excerpt
from hmr_ros.running.many.address import content_sha256, look, work_sha256
from hmr_ros.running.many.chunks import Chunking
from hmr_ros.running.many.inputs import find
from hmr_ros.running.request import OfRecording, Request

PLAIN = Request("a.mp4", {"model": "pose2mesh", "num_threads": 0, "detector.preset": "balanced"})


def changed(**values):
    return Request(**({"source": "a.mp4", "settings": PLAIN.settings} | values))


def test_neither_the_inputs_place_nor_the_machine_is_a_part_of_it():
    threads = dict(PLAIN.settings, num_threads=3, device_id=1)
    assert work_sha256(changed(source="b.mp4", settings=threads | {"device_id": 0})) == work_sha256(
        changed(settings=threads | {"device_id": 0})
    )
    assert work_sha256(changed(settings=dict(PLAIN.settings, num_threads=3))) == work_sha256(PLAIN)


@pytest.mark.parametrize(
    "values",
    [
        {"settings": dict(PLAIN.settings, max_people=3)},
        {"settings": dict(PLAIN.settings, model="both")},
        {"excerpt": Excerpt(every=2)},
        {"excerpt": Excerpt(seconds=2.0)},
        {"saved": ("json",)},
        {"mesh": "glb"},
        {"fov": 61.0},
        {"recording": OfRecording(parameters=("target_frame:=odom",))},
        {"recording": OfRecording(images=("/camera/image_raw",))},
    ],
)
def test_all_that_changes_the_files_changes_it(values):
    assert work_sha256(changed(**values)) != work_sha256(PLAIN)


def test_chunks_change_it():
    assert len({work_sha256(PLAIN, chunking) for chunking in (None, Chunking(60.0), Chunking(90.0))}) == 3


def test_another_network_changes_it(tmp_path, monkeypatch):
    from hmr_ros.core.manifest import models_dir

    before = work_sha256(PLAIN)
    for path in models_dir().glob("*.json"):
        shutil.copy(path, tmp_path)
    shutil.copy(models_dir() / "open_body.npz", tmp_path)
    monkeypatch.setenv("HMR_ROS_MODELS", str(tmp_path))
    assert work_sha256(PLAIN) == before
    with (tmp_path / "nanodet.json").open("a") as stream:
        stream.write("\n")
    assert work_sha256(PLAIN) != before


def test_a_calibration_enters_with_its_content(tmp_path):
    calibration = tmp_path / "camera.yaml"
    calibration.write_text("a")
    before = work_sha256(changed(camera_info=calibration))
    calibration.write_text("b")
    assert work_sha256(changed(camera_info=calibration)) != before


def test_content_is_bytes_and_names_wherever_they_are(tmp_path):
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "a.jpg").write_bytes(b"1")
    one, two = find([str(tmp_path)], Path("out"))
    assert content_sha256(one) == content_sha256(two)
    assert look(one) != look(two)
    before = look(two)
    (two.path / "b.jpg").write_bytes(b"1")
    assert content_sha256(one) != content_sha256(two)
    assert look(two) != before
