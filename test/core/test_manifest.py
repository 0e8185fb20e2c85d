# SPDX-License-Identifier: Apache-2.0
import dataclasses
import errno
import hashlib
import json
import os
from pathlib import Path

import pytest

from hmr_ros.core.manifest import (
    MODELS_VARIABLE,
    Manifest,
    ManifestError,
    TensorSpec,
    atomic_path,
    file_sha256,
    load_manifest,
    models_dir,
    verify,
    write_manifest,
)
from test.core.test_uncertainty import CALIBRATION

CONTENT = b"a network"
MANIFEST = Manifest(
    name="lifter",
    kind="pose2mesh",
    file="lifter.onnx",
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    inputs=(TensorSpec("keypoints", "float32", ("N", 21, 3)),),
    outputs=(TensorSpec("vertices", "float32", ("N", 6890, 3)),),
    licence="Apache-2.0",
    joint_set="coco_feet",
    normalisation={"input": "virtual_camera", "mean": (0.5, 0.25), "scale": 2.0},
    provenance={"trained on": "motion"},
    metrics={"pa_mpjpe_mm": 30.5},
    uncertainty=dataclasses.replace(CALIBRATION, joint_doubt=0.2, along_doubt=0.5, across_doubt=-0.1, seen_power=0.15),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "lifter.onnx").write_bytes(CONTENT)
    write_manifest(MANIFEST, tmp_path / "lifter.json")
    return tmp_path / "lifter.json"


def rewritten(path: Path, **changes: object) -> Path:
    """The manifest at ``path`` with fields replaced (None: removed)."""
    raw = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in raw.items() if v is not None}))
    return path


def test_round_trip_keeps_every_field(path: Path):
    assert load_manifest(path) == MANIFEST
    assert load_manifest(path).model_path(path) == path.parent / "lifter.onnx"


def test_optional_fields_may_be_absent(path: Path):
    fields = ["joint_set", "body_model", "body_model_sha256", "normalisation", "provenance", "metrics", "uncertainty"]
    absent = dict.fromkeys(fields)
    loaded = load_manifest(rewritten(path, **absent))
    assert loaded.joint_set is None
    assert loaded.metrics == {}
    assert loaded.uncertainty is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sha256": None}, "sha256: expected a text"),
        ({"sha256": "abc"}, "64 lower-case hex"),
        ({"kind": "oracle"}, "expected a kind"),
        ({"file": "../elsewhere.onnx"}, "bare name"),
        ({"format": 99}, "expected format 1, got 99"),
        ({"colour": "red"}, "unknown fields .'colour'."),
        ({"inputs": []}, "unique names"),
        ({"inputs": [{"name": "x", "dtype": "float32"}]}, "a tensor has a name"),
        ({"inputs": [{"name": "x", "dtype": "complex64", "shape": [1]}]}, "expected a dtype"),
        ({"inputs": [{"name": "x", "dtype": "float32", "shape": [0]}]}, "positive integers or names"),
        ({"inputs": [{"name": "x", "dtype": "float32", "shape": [True]}]}, "positive integers or names"),
        ({"metrics": {"mpjpe": "good"}}, "mpjpe: expected a number"),
        ({"normalisation": {"mean": ["a"]}}, "mean: expected a number"),
        ({"provenance": [1]}, "provenance: expected an object"),
        ({"uncertainty": {}}, "uncertainty: along: expected a list of numbers, got None; run `hmr calibrate` again"),
    ],
)
def test_a_wrong_field_is_named_with_its_file(path: Path, changes: dict[str, object], message: str):
    with pytest.raises(ManifestError, match=message) as caught:
        load_manifest(rewritten(path, **changes))
    assert str(path) in str(caught.value)


def test_missing_and_broken_json_say_what_to_do(tmp_path: Path):
    with pytest.raises(ManifestError, match="no such manifest"):
        load_manifest(tmp_path / "absent.json")
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(ManifestError, match="not a readable manifest"):
        load_manifest(tmp_path / "broken.json")
    for text in ("[" * 100_000, "1" * 5000):  # deeper, and longer, than Python's reader goes
        (tmp_path / "broken.json").write_text(text)
        with pytest.raises(ManifestError, match="not a readable manifest"):
            load_manifest(tmp_path / "broken.json")
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(ManifestError, match="expected a JSON object, got list"):
        load_manifest(tmp_path / "list.json")


def test_verify_accepts_the_described_file_only(path: Path):
    verify(MANIFEST, path)
    MANIFEST.model_path(path).write_bytes(CONTENT + b"!")
    with pytest.raises(ManifestError, match="damaged"):
        verify(MANIFEST, path)
    MANIFEST.model_path(path).unlink()
    with pytest.raises(ManifestError, match="missing"):
        verify(MANIFEST, path)


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(path: Path):
    before = path.read_text()

    def fail_half_way() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail_half_way()
    assert path.read_text() == before
    assert sorted(p.name for p in path.parent.iterdir()) == ["lifter.json", "lifter.onnx"]


def test_a_full_disk_is_told_by_the_file_that_has_no_room(path: Path):
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(OSError, match=r"No space left on device: .*lifter\.json") as told, atomic_path(path):
        raise full
    assert told.value.errno == errno.ENOSPC
    with pytest.raises(FileNotFoundError, match=r"absent"), atomic_path(path):
        (path.parent / "absent").read_text()
    with pytest.raises(OSError, match=r"^told already$"), atomic_path(path):
        raise OSError("told already")


def test_manifest_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        MANIFEST.name = "other"  # type: ignore[misc]


def test_models_dir_is_found_and_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(MODELS_VARIABLE, raising=False)
    assert (models_dir() / "open_body.npz").is_file()
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path))
    assert models_dir() == tmp_path
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path / "absent"))
    with pytest.raises(FileNotFoundError, match=MODELS_VARIABLE):
        models_dir()


@pytest.mark.parametrize("key", ["inputs", "outputs"])
@pytest.mark.parametrize("tensors", [None, "keypoints", {"name": "keypoints"}])
def test_tensors_are_a_list(path: Path, key: str, tensors: object):
    with pytest.raises(ManifestError, match=f"{key}: expected a list of tensors"):
        load_manifest(rewritten(path, **{key: tensors}))


def test_the_digest_of_a_file_is_that_of_its_bytes(path: Path):
    assert file_sha256(path.parent / "lifter.onnx") == MANIFEST.sha256


def test_writing_leaves_no_file_open_and_artefacts_readable_by_all(tmp_path: Path):
    before = len(os.listdir("/proc/self/fd"))
    with atomic_path(tmp_path / "a.json") as temporary:
        temporary.write_text("x")
        assert temporary.suffix == ".json"
        assert temporary.parent == tmp_path
    assert len(os.listdir("/proc/self/fd")) == before
    assert (tmp_path / "a.json").stat().st_mode & 0o777 == 0o644
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]


def test_the_shipped_manifests_are_whole_and_describe_their_files():
    manifests = sorted(models_dir().glob("*.json"))
    assert manifests
    for path in manifests:
        manifest = load_manifest(path)
        assert file_sha256(manifest.model_path(path)) == manifest.sha256
        if manifest.uncertainty:
            assert all(0 < level < 1 for level in manifest.uncertainty.levels)
