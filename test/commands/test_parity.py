# SPDX-License-Identifier: Apache-2.0
"""`hmr parity`, with inputs that are not recorded but given."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hmr_ros.cli import main
from hmr_ros.commands import fp16 as fp16_command
from hmr_ros.core.manifest import load_manifest, models_dir
from hmr_ros.engines.opening import fp16_of
from hmr_ros.evaluation.parity import compare, runs
from hmr_ros.evaluation.parity import inputs as parity_inputs
from hmr_ros.evaluation.parity.compare import Finding, shipped
from hmr_ros.evaluation.parity.runs import answers

POSE2MESH = models_dir() / "pose2mesh.json"


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few standing people in place of the recorded ones."""
    rng = np.random.default_rng(0)
    keypoints = np.concatenate([rng.normal(size=(3, 21, 2)) * 0.2, np.ones((3, 21, 1))], -1).astype(np.float32)
    given = [{"keypoints": keypoints, "context": np.full((3, 1), -1.0, np.float32)}] * 2
    monkeypatch.setattr(compare, "recorded_inputs", lambda path: given)
    monkeypatch.setattr(fp16_command, "recorded_inputs", lambda path: given)


@pytest.fixture
def converted(given: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The manifest of Pose2Mesh in a directory of its own, with its fp16 model beside it."""
    for path in (POSE2MESH, POSE2MESH.with_suffix(".onnx")):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert main(["fp16", str(tmp_path / POSE2MESH.name)]) == 0
    assert "MiB, from fp32: vertices" in capsys.readouterr().out
    return tmp_path / POSE2MESH.name


def test_compares_and_writes(converted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "parity.json"
    assert main(["parity", str(converted), "--backend", "onnxruntime", "--out", str(out)]) == 0
    findings = {finding["way"]: finding for finding in json.loads(out.read_text())["findings"]}
    assert findings.keys() == {"onnxruntime, again", "fp16, as a GPU rounds", "onnxruntime"}
    assert all(finding["accepted"] and finding["repeatable"] for finding in findings.values())
    assert findings["onnxruntime"]["distances"]["vertices"] == {"mean": 0.0, "max": 0.0, "unit": "mm"}
    assert 0.01 < findings["fp16, as a GPU rounds"]["distances"]["vertices"]["mean"] < 1
    assert "vertices" in capsys.readouterr().out


@pytest.mark.usefixtures("given")
def test_a_backend_that_is_not_there_is_skipped(capsys: pytest.CaptureFixture[str]) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("it is there")
    assert main(["parity", str(POSE2MESH), "--backend", "onnxruntime:cuda"]) == 0
    assert "skipped: onnxruntime has no CUDAExecutionProvider" in capsys.readouterr().out


@pytest.mark.usefixtures("given")
def test_another_answer_is_too_far_off(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    real = runs.engine_run

    def worse(engine: runs.Engine) -> runs.Run:
        return lambda arrays: {name: 1.02 * value for name, value in real(engine)(arrays).items()}

    monkeypatch.setattr(compare, "engine_run", worse)
    monkeypatch.setattr(compare, "_fp16_run", lambda path: real(parity_engine()))
    assert main(["parity", str(POSE2MESH)]) == 1
    assert "TOO FAR OFF" in capsys.readouterr().out


def parity_engine() -> runs.Engine:
    from hmr_ros.engines.opening import open_onnx

    return open_onnx(POSE2MESH, 1)


def test_what_differs_from_run_to_run_is_found() -> None:
    rng = np.random.default_rng(0)
    found = answers("noise", lambda arrays: {"y": rng.normal(size=3)}, [{}, {}])
    assert not found.repeatable
    assert not Finding("net", "noise", repeatable=found.repeatable).accepted


def test_fp16_writes_a_model_that_engines_find(converted: Path) -> None:
    found = fp16_of(converted)
    assert found == converted.with_stem("pose2mesh_fp16")
    manifest = load_manifest(found)
    assert manifest.metrics["from_fp32_vertices_mean_mm"] < 1
    assert manifest.inputs == load_manifest(converted).inputs


@pytest.mark.parametrize("path", shipped(), ids=lambda path: path.stem)
def test_shipped_fp16_models_are_made_from_the_shipped_networks(path: Path) -> None:
    if not path.with_stem(f"{path.stem}_fp16").is_file():
        pytest.skip("has no fp16 model")
    assert fp16_of(path) is not None, "run `hmr fp16` again"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["person_boxes", "landmarks", "pose2mesh", "hand_recrop"])
def test_inputs_are_what_the_pipeline_gives(kind: str) -> None:
    paths = {load_manifest(path).kind: path for path in shipped()}
    recorded = parity_inputs.recorded_inputs(paths[kind])
    specs = load_manifest(paths[kind]).inputs
    assert len(recorded) >= parity_inputs.CLIP_IMAGES
    assert all(arrays.keys() == {spec.name for spec in specs} for arrays in recorded)
