# SPDX-License-Identifier: Apache-2.0
"""Opening networks: every mismatch between file and manifest is refused with a message that helps."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

from hmr_ros.core.manifest import Manifest, ManifestError, TensorSpec, file_sha256, write_manifest
from hmr_ros.engines.onnx import engine
from hmr_ros.engines.opening import open_engine
from hmr_ros.engines.runtime import EngineError, default_threads

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def save_doubler(directory: Path) -> Manifest:
    """A network y = 2 x with x (N, 3) and its manifest."""
    helper, float32 = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["y"])],
        "doubler",
        [helper.make_tensor_value_info("x", float32, ["N", 3])],
        [helper.make_tensor_value_info("y", float32, ["N", 3])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), directory / "d.onnx")
    return Manifest(
        name="doubler",
        kind="person_boxes",
        file="d.onnx",
        sha256=file_sha256(directory / "d.onnx"),
        inputs=(TensorSpec("x", "float32", ("N", 3)),),
        outputs=(TensorSpec("y", "float32", ("N", 3)),),
        licence="Apache-2.0",
    )


@pytest.fixture
def doubler(tmp_path: Path) -> Path:
    path = tmp_path / "d.json"
    write_manifest(save_doubler(tmp_path), path)
    return path


def rewrite(path: Path, **changes: object) -> None:
    write_manifest(dataclasses.replace(save_doubler(path.parent), **changes), path)


@pytest.mark.parametrize("backend", ["auto", "onnxruntime"])  # auto: see also test_opening
@pytest.mark.parametrize("people", [0, 1, 5])
def test_runs_named_arrays(doubler: Path, backend: str, people: int) -> None:
    engine = open_engine(doubler, backend, threads=1)
    x = np.arange(people * 3, dtype=np.float32).reshape(people, 3)
    outputs = engine.run({"x": x})
    assert outputs.keys() == {"y"}
    np.testing.assert_array_equal(outputs["y"], 2 * x)
    assert engine.manifest.name == "doubler"
    engine.close()


@pytest.mark.parametrize("people", [0, 1, 5])
def test_runs_named_arrays_without_the_package(doubler: Path, people: int, without_package: None) -> None:
    test_runs_named_arrays(doubler, "onnxruntime", people)


def test_says_what_it_opened(doubler: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        open_engine(doubler, "onnxruntime", threads=1)
    assert [r.getMessage() for r in caplog.records] == ["doubler: onnxruntime, 1 thread (as asked for)"]


def test_default_threads_fit_the_machine() -> None:
    assert 1 <= default_threads() <= 4


@pytest.mark.parametrize(
    ("inputs", "hint"),
    [
        ({"x": np.zeros((1, 4), np.float32)}, r"\(1, 4\)"),
        ({"x": np.zeros((1, 3), np.float64)}, "float64"),
        ({"z": np.zeros((1, 3), np.float32)}, "got z"),
    ],
)
def test_wrong_inputs_are_named(doubler: Path, inputs: dict[str, np.ndarray], hint: str) -> None:
    engine = open_engine(doubler, threads=1)
    with pytest.raises(EngineError, match=hint):
        engine.run(inputs)


@pytest.mark.parametrize(
    "spec",
    [
        TensorSpec("x", "float32", ("N", 4)),
        TensorSpec("x", "float32", ("N", 3, 1)),
        TensorSpec("x", "float16", ("N", 3)),
        TensorSpec("image", "float32", ("N", 3)),
    ],
)
@pytest.mark.parametrize("side", ["inputs", "outputs"])
def test_a_network_that_is_not_the_manifests_is_refused(doubler: Path, side: str, spec: TensorSpec) -> None:
    rewrite(doubler, **{side: (spec,)})
    with pytest.raises(EngineError, match="the manifest says"):
        open_engine(doubler)


def test_a_damaged_file_is_refused(doubler: Path) -> None:
    doubler.with_suffix(".onnx").write_bytes(b"nothing")
    with pytest.raises(ManifestError, match="sha256"):
        open_engine(doubler)


def test_a_file_that_is_no_network_is_refused(doubler: Path) -> None:
    manifest = save_doubler(doubler.parent)
    doubler.with_suffix(".onnx").write_bytes(b"nothing")
    digest = file_sha256(doubler.with_suffix(".onnx"))
    write_manifest(dataclasses.replace(manifest, sha256=digest), doubler)
    with pytest.raises(EngineError, match=r"d\.onnx: .*install the network again"):
        open_engine(doubler)


def test_a_network_that_onnxruntime_cannot_load_is_refused(doubler: Path) -> None:
    manifest = save_doubler(doubler.parent)
    path = doubler.with_suffix(".onnx")
    model = onnx.load(path)
    model.graph.node[0].op_type = "Multiply"
    onnx.save(model, path)
    write_manifest(dataclasses.replace(manifest, sha256=file_sha256(path)), doubler)
    with pytest.raises(EngineError, match="cannot load it"):
        open_engine(doubler)


def test_weights_in_a_second_file_are_refused(doubler: Path) -> None:
    manifest = save_doubler(doubler.parent)
    path = doubler.with_suffix(".onnx")
    model = onnx.load(path)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros(500, np.float32), "w"))
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    write_manifest(dataclasses.replace(manifest, sha256=file_sha256(path)), doubler)
    with pytest.raises(EngineError, match="another file"):
        open_engine(doubler)


def no_library() -> object:
    raise EngineError("libonnxruntime.so: cannot open shared object file")


def test_missing_onnxruntime_names_the_remedy(doubler: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setattr(engine, "load_library", no_library)
    with pytest.raises(EngineError, match="pip install onnxruntime"):
        open_engine(doubler)


def test_bad_options_are_refused(doubler: Path) -> None:
    with pytest.raises(ValueError, match="'cuda'"):
        open_engine(doubler, "cuda")
    with pytest.raises(ValueError, match="-1"):
        open_engine(doubler, threads=-1)


@pytest.mark.parametrize("backend", ["onnxruntime:cuda", "onnxruntime:tensorrt"])
def test_a_provider_that_is_not_there_is_named(doubler: Path, backend: str) -> None:
    import onnxruntime

    if len(onnxruntime.get_available_providers()) > 2:
        pytest.skip("this onnxruntime was built for GPUs")
    with pytest.raises(EngineError, match=r"was built without it.*pip install onnxruntime-gpu"):
        open_engine(doubler, backend)


def test_a_provider_that_does_not_start_is_named(doubler: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    everything = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: everything)
    session = onnxruntime.InferenceSession

    def cpu_only(model: bytes, options: object, providers: list[tuple[str, object]]) -> object:
        assert [name for name, _ in providers] == everything
        return session(model, options, providers=everything[1:])

    monkeypatch.setattr(onnxruntime, "InferenceSession", cpu_only)
    with pytest.raises(EngineError, match="cannot load its libraries"):
        open_engine(doubler, "onnxruntime:cuda")
