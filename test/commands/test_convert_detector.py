# SPDX-License-Identifier: Apache-2.0
"""`hmr convert-detector`: what it refuses, and that the shipped files are its result."""

from __future__ import annotations

import argparse
import os
import zipfile
from pathlib import Path

import pytest

from hmr_ros.commands import convert_detector
from hmr_ros.conversion.detector.blazepose import SOURCES
from hmr_ros.conversion.detector.wheel import DOWNLOAD_COMMAND, Source
from hmr_ros.core.manifest import load_manifest, models_dir


def arguments(**values: Path | None) -> argparse.Namespace:
    return argparse.Namespace(**{"wheel": None, "tflite_dir": None, **values})


def test_a_file_that_is_not_the_wheel_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.whl"
    wrong.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="pip download --no-deps mediapipe"):
        convert_detector.run(arguments(wheel=wrong, out=tmp_path))
    with zipfile.ZipFile(wrong, "w") as archive:
        archive.writestr("other.txt", "")
    with pytest.raises(ValueError, match="not the MediaPipe wheel"):
        convert_detector.run(arguments(wheel=wrong, out=tmp_path))


def test_another_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        convert_detector.run(arguments(tflite_dir=tmp_path, out=tmp_path))
    (tmp_path / "pose_detection.tflite").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="expected 9ba9dd3d"):
        convert_detector.run(arguments(tflite_dir=tmp_path, out=tmp_path))


def test_the_shipped_files_are_what_the_wheel_converts_to(tmp_path: Path) -> None:
    wheel = os.environ.get("HMR_ROS_MEDIAPIPE_WHEEL")
    if not wheel:
        pytest.skip(f"set HMR_ROS_MEDIAPIPE_WHEEL to the file from: {DOWNLOAD_COMMAND}")
    convert_detector.run(arguments(wheel=Path(wheel), out=tmp_path))
    for source in SOURCES:
        made, shipped = (load_manifest(directory / f"{source.name}.json") for directory in (tmp_path, models_dir()))
        assert made == shipped


@pytest.mark.parametrize("source", SOURCES, ids=lambda s: s.name)
def test_the_shipped_manifests_name_their_source(source: Source) -> None:
    manifest = load_manifest(models_dir() / f"{source.name}.json")
    assert manifest.provenance["member_sha256"] == source.sha256
    assert manifest.inputs == (source.image,)
    assert manifest.outputs == tuple(source.outputs.values())
    assert manifest.licence == "Apache-2.0"
