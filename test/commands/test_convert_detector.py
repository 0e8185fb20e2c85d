# SPDX-License-Identifier: Apache-2.0
"""`hmr convert-detector` and `hmr convert-hands`: what they refuse, and that the shipped files are their results."""

from __future__ import annotations

import argparse
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from hmr_ros.cli import Command
from hmr_ros.commands import convert_detector, convert_hands
from hmr_ros.conversion.detector import blazepose, hands
from hmr_ros.conversion.detector.wheel import DOWNLOAD_COMMAND, Source
from hmr_ros.core.manifest import load_manifest, models_dir

BOTH = pytest.mark.parametrize("command", [convert_detector, convert_hands])


def arguments(**values: Path | None) -> argparse.Namespace:
    return argparse.Namespace(**{"wheel": None, "tflite_dir": None, **values})


@BOTH
def test_a_file_that_is_not_the_wheel_is_refused(command: Command, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.whl"
    wrong.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="pip download --no-deps mediapipe"):
        command.run(arguments(wheel=wrong, out=tmp_path))
    with zipfile.ZipFile(wrong, "w") as archive:
        archive.writestr("other.txt", "")
    with pytest.raises(ValueError, match="not the MediaPipe wheel"):
        command.run(arguments(wheel=wrong, out=tmp_path))


@pytest.mark.parametrize(
    ("command", "name", "sha256"),
    [
        (convert_detector, "pose_landmark_full.tflite", "e9a5c5cb"),
        (convert_hands, "hand_landmark_full.tflite", "11c272b8"),
    ],
)
def test_another_network_is_refused(command: Command, name: str, sha256: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        command.run(arguments(tflite_dir=tmp_path, out=tmp_path))
    (tmp_path / name).write_bytes(b"nothing")
    with pytest.raises(ValueError, match=f"expected {sha256}"):
        command.run(arguments(tflite_dir=tmp_path, out=tmp_path))


@pytest.mark.parametrize(
    ("command", "sources"), [(convert_detector, blazepose.SOURCES), (convert_hands, hands.SOURCES)]
)
def test_the_shipped_files_are_what_the_wheel_converts_to(
    command: Command, sources: Sequence[Source], tmp_path: Path
) -> None:
    wheel = os.environ.get("HMR_ROS_MEDIAPIPE_WHEEL")
    if not wheel:
        pytest.skip(f"set HMR_ROS_MEDIAPIPE_WHEEL to the file from: {DOWNLOAD_COMMAND}")
    command.run(arguments(wheel=Path(wheel), out=tmp_path))
    for source in sources:
        made, shipped = (load_manifest(directory / f"{source.name}.json") for directory in (tmp_path, models_dir()))
        assert made == shipped


@pytest.mark.parametrize("source", [*blazepose.SOURCES, *hands.SOURCES], ids=lambda s: s.name)
def test_the_shipped_manifests_name_their_source(source: Source) -> None:
    manifest = load_manifest(models_dir() / f"{source.name}.json")
    assert manifest.provenance["member_sha256"] == source.sha256
    assert manifest.inputs == (source.image,)
    assert manifest.outputs == tuple(source.outputs.values())
    assert manifest.licence == "Apache-2.0"
