# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime's C library, which lies in the Python package, too: the same outputs, errors and options."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable

import numpy as np
import pytest

from hmr_ros.core.manifest import Manifest, models_dir
from hmr_ros.engines.onnx import engine
from hmr_ros.engines.onnx.c_library import CLibrary, OrtError
from hmr_ros.engines.onnx.c_session import CRuntime, CSession
from hmr_ros.engines.onnx.check import read_checked
from hmr_ros.engines.onnx.engine import OnnxEngine, find_runtime, has_provider
from hmr_ros.engines.runtime import EngineError
from test.engines.shipped_library import shipped_library

pytest.importorskip("onnxruntime")
MODELS = sorted(path.stem for path in models_dir().glob("*.json"))


class Counting(CLibrary):
    """A library that knows which objects have not been freed."""

    def __init__(self, name: str) -> None:
        self.alive: list[tuple[str, int]] = []
        super().__init__(name)

    def releaser(self, kind: str, address: int) -> Callable[[], None]:
        self.alive.append((kind, address))
        free = super().releaser(kind, address)

        def release() -> None:
            self.alive.remove((kind, address))
            free()

        return release


@pytest.fixture(scope="module")
def library() -> CLibrary:
    return CLibrary(shipped_library())


def inputs_of(manifest: Manifest, people: int = 2) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    shapes = {spec.name: [people if isinstance(size, str) else size for size in spec.shape] for spec in manifest.inputs}
    return {spec.name: rng.random(shapes[spec.name]).astype(spec.dtype) for spec in manifest.inputs}


def opened(name: str, threads: int = 1) -> OnnxEngine:
    manifest, model = read_checked(models_dir() / f"{name}.json")
    return OnnxEngine(manifest, model, threads)


@pytest.mark.parametrize(("name", "threads"), [*((name, 1) for name in MODELS), ("pose2mesh", 2)])
def test_outputs_are_the_packages_bit_for_bit(name: str, threads: int, request: pytest.FixtureRequest):
    package = opened(name, threads)
    inputs = inputs_of(package.manifest)
    expected = package.run(inputs)
    request.getfixturevalue("without_package")
    ours = opened(name, threads)
    actual = ours.run(inputs)
    assert actual.keys() == expected.keys()
    for key, array in expected.items():
        assert (actual[key].dtype, actual[key].shape) == (array.dtype, array.shape)
        assert actual[key].tobytes() == array.tobytes()
    assert ours.status == package.status
    ours.close()


@pytest.mark.parametrize("people", [1, 5])
def test_any_number_of_people(people: int, without_package: None):
    network = opened("pose2mesh")
    outputs = network.run(inputs_of(network.manifest, people))
    assert {len(array) for array in outputs.values()} == {people}


def test_outputs_stay_when_the_network_is_gone(without_package: None):
    network = opened("pose2mesh")
    first = network.run(inputs_of(network.manifest))
    kept = {name: array.copy() for name, array in first.items()}
    network.run({name: array * 0 for name, array in inputs_of(network.manifest).items()})
    network.close()
    for name, array in first.items():
        np.testing.assert_array_equal(array, kept[name])
        assert array.flags.writeable


def test_inputs_need_not_be_contiguous(without_package: None):
    network = opened("pose2mesh")
    inputs = inputs_of(network.manifest)
    backwards = {name: np.ascontiguousarray(array[..., ::-1])[..., ::-1] for name, array in inputs.items()}
    for name, array in network.run(backwards).items():
        np.testing.assert_array_equal(array, network.run(inputs)[name])


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        (lambda array: array[:, :1], "invalid dimensions"),
        (lambda array: array.astype(np.float64), "float64.*double"),
        (lambda array: array.astype(np.complex64), "complex64"),
    ],
)
def test_wrong_inputs_are_named(change: Callable[[np.ndarray], np.ndarray], hint: str, without_package: None):
    network = opened("pose2mesh")
    inputs = {name: change(array) for name, array in inputs_of(network.manifest).items()}
    with pytest.raises(EngineError, match=f"(?s)pose2mesh.onnx: expected .*; got .*{hint}"):
        network.run(inputs)


def test_a_missing_input_is_named(without_package: None):
    with pytest.raises(EngineError, match="got z float32"):
        opened("pose2mesh").run({"z": np.zeros(3, np.float32)})


def test_a_network_that_cannot_be_loaded_is_refused(library: CLibrary, without_package: None):
    manifest, model = read_checked(models_dir() / "pose2mesh.json")
    with pytest.raises(EngineError, match=rf"onnxruntime {library.version} \(.*cannot load it"):
        OnnxEngine(manifest, model[:-100], 1)


@pytest.mark.parametrize("backend", ["onnxruntime:cuda", "onnxruntime:tensorrt"])
def test_a_gpu_needs_the_package(backend: str, without_package: None):
    manifest, model = read_checked(models_dir() / "pose2mesh.json")
    assert not has_provider(backend)
    assert has_provider("onnxruntime")
    with pytest.raises(EngineError, match="pip install onnxruntime-gpu"):
        OnnxEngine(manifest, model, 1, backend)


def test_the_package_comes_first(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(engine, "load_library", lambda: pytest.fail("the package is there"))
    assert not isinstance(find_runtime(), CRuntime)


def test_threads_are_as_many_as_asked_for(library: CLibrary):
    _, model = read_checked(models_dir() / "pose2mesh.json")
    before = len(os.listdir("/proc/self/task"))
    session = CSession(library, model, 3)
    assert len(os.listdir("/proc/self/task")) == before + 2  # the caller is the third
    session.close()
    assert len(os.listdir("/proc/self/task")) == before


def test_all_is_freed():
    counting = Counting(shipped_library())
    manifest, model = read_checked(models_dir() / "pose2mesh.json")
    inputs = inputs_of(manifest)
    session = CSession(counting, model, 1)
    whole = sorted(kind for kind, _ in counting.alive)
    assert whole == ["MemoryInfo", "Session"]
    outputs = [spec.name for spec in manifest.outputs]
    session.run(outputs, inputs)
    with pytest.raises(OrtError):
        session.run(outputs, {name: array[:, :1] for name, array in inputs.items()})
    with pytest.raises(OrtError):
        session.run(["no such output"], inputs)
    assert sorted(kind for kind, _ in counting.alive) == whole
    session.close()
    session.close()
    assert counting.alive == []


def test_a_session_that_is_dropped_or_never_made_is_freed():
    counting = Counting(shipped_library())
    _, model = read_checked(models_dir() / "pose2mesh.json")
    session = CSession(counting, model, 1)
    del session
    gc.collect()
    assert counting.alive == []
    with pytest.raises(OrtError):
        CSession(counting, model[:-100], 1)
    assert counting.alive == []
