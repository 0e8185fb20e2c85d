# SPDX-License-Identifier: Apache-2.0
"""Running TensorRT engines, on a fake of TensorRT 10.3 and RTX over a fake of CUDA."""

from __future__ import annotations

import types
from typing import cast

import numpy as np
import pytest

from hmr_ros.core.manifest import Manifest, TensorSpec
from hmr_ros.engines.runtime import BATCH_SIZES, EngineError
from hmr_ros.engines.tensorrt.api import TensorRt
from hmr_ros.engines.tensorrt.cuda import CudaStream
from hmr_ros.engines.tensorrt.engine import MAX_SHAPES, LoadedEngine, TensorRtEngine
from test.engines.fake_cuda import FakeCuda
from test.engines.fake_tensorrt import BINDINGS, FakeNetwork, FakeTensorRt

FULL, *_, RTX = BINDINGS

DOUBLER = FakeNetwork(
    {"image": ("uint8", ("N", 2, 3)), "context": ("float32", ("N", 1))},
    {"y": ("float32", ("N", 3))},
    lambda x: {"y": (x["image"].sum(1) * x["context"]).astype(np.float32)},
)
SEARCH = FakeNetwork(
    {"image": ("uint8", (1, "H", "W"))}, {"sums": ("float32", (1, "H"))}, lambda x: {"sums": x["image"].sum(2)}
)


def specs(tensors: dict[str, tuple[str, tuple[int | str, ...]]]) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(name, dtype, shape) for name, (dtype, shape) in tensors.items())


def manifest(network: FakeNetwork, kind: str = "pose2mesh") -> Manifest:
    sides = specs(network.inputs), specs(network.outputs)
    return Manifest("doubler", kind, "d.onnx", "0" * 64, *sides, licence="Apache-2.0")


def load(fake: FakeTensorRt) -> LoadedEngine:
    library = TensorRt(fake.module(), fake.edition)
    stream = CudaStream(cast(types.ModuleType, fake.cuda))
    return LoadedEngine(library, b"engine:" + fake.bindings.encode(), stream=stream)


def fake(bindings: str = FULL, network: FakeNetwork = DOUBLER, breaks: str = "") -> FakeTensorRt:
    return FakeTensorRt(bindings, network, FakeCuda(), {breaks})


def people(count: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    context = rng.normal(size=(count, 1)).astype(np.float32)
    return {"image": rng.integers(0, 9, (count, 2, 3), np.uint8), "context": context}


@pytest.mark.parametrize("bindings", BINDINGS)
@pytest.mark.parametrize("count", [0, 1, 3, 8, 9, 20])
def test_answers_for_any_number_of_people(bindings: str, count: int) -> None:
    engine = TensorRtEngine(manifest(DOUBLER), load(fake(bindings)))
    for seed in range(3):  # later runs find the earlier one's answers in their buffers
        inputs = people(count, seed)
        outputs = engine.run(inputs)
        assert outputs.keys() == {"y"}
        np.testing.assert_array_equal(outputs["y"], DOUBLER.compute(inputs)["y"])
        assert outputs["y"].shape == (count, 3)


def test_answers_belong_to_the_caller() -> None:
    engine = TensorRtEngine(manifest(DOUBLER), load(fake()))
    first = engine.run(people(2, seed=1))["y"]
    kept = first.copy()
    engine.run(people(2, seed=2))
    np.testing.assert_array_equal(first, kept)


def test_nothing_is_allocated_or_set_up_per_frame() -> None:
    machine = fake()
    engine = TensorRtEngine(manifest(DOUBLER), load(machine))
    machine.cuda.calls.clear()
    for count in BATCH_SIZES:
        engine.run(people(count))
    assert machine.cuda.calls == ["cudaGraphLaunch", "cudaStreamSynchronize"] * len(BATCH_SIZES)


def test_without_graphs_it_copies_runs_copies() -> None:
    machine = fake(RTX, breaks="capture")
    engine = TensorRtEngine(manifest(DOUBLER), load(machine))
    machine.cuda.calls.clear()
    outputs = engine.run(people(2))
    assert machine.cuda.calls == ["cudaMemcpyAsync"] * 3 + ["cudaStreamSynchronize"]
    np.testing.assert_array_equal(outputs["y"], DOUBLER.compute(people(2))["y"])


def test_a_failed_capture_is_reported_and_survived(caplog: pytest.LogCaptureFixture) -> None:
    machine = fake()
    machine.cuda.fail["cudaGraphInstantiate"] = 900
    engine = TensorRtEngine(manifest(DOUBLER), load(machine))
    np.testing.assert_array_equal(engine.run(people(2))["y"], DOUBLER.compute(people(2))["y"])
    assert "without a CUDA graph" in caplog.text


def test_images_of_any_size_are_prepared_when_seen() -> None:
    machine = fake(network=SEARCH)
    engine = TensorRtEngine(manifest(SEARCH, "person_boxes"), load(machine))
    for height, width in [(2, 3), (4, 5), (2, 3)]:
        image = np.arange(height * width, dtype=np.uint8).reshape(1, height, width)
        np.testing.assert_array_equal(engine.run({"image": image})["sums"], image.sum(2))
    assert machine.cuda.calls.count("cudaGraphInstantiate") == 2


def test_of_too_many_sizes_the_oldest_is_dropped() -> None:
    machine = fake(network=SEARCH)
    engine = TensorRtEngine(manifest(SEARCH, "person_boxes"), load(machine))
    for shape in [(1, height, width) for height in range(1, 9) for width in range(1, 9)]:
        image = np.full(shape, 3, np.uint8)
        np.testing.assert_array_equal(engine.run({"image": image})["sums"], image.sum(2))
    graphs = [held for held in machine.cuda.live if isinstance(held, list)]
    assert len(graphs) == MAX_SHAPES


def test_a_size_outside_of_the_profile_is_named() -> None:
    engine = TensorRtEngine(manifest(SEARCH, "person_boxes"), load(fake(network=SEARCH)))
    with pytest.raises(EngineError, match=r"\(1, 1, 1\) to \(1, 8, 8\), got \(1, 9, 2\)"):
        engine.run({"image": np.zeros((1, 9, 2), np.uint8)})


@pytest.mark.parametrize(
    "inputs",
    [
        {"image": np.zeros((2, 2, 3), np.uint8)},
        {"image": np.zeros((2, 2, 3), np.uint8), "context": np.zeros((1, 1), np.float32)},
        {"image": np.zeros((2, 2, 3), np.float32), "context": np.zeros((2, 1), np.float32)},
        {"image": np.zeros((2, 2, 4), np.uint8), "context": np.zeros((2, 1), np.float32)},
    ],
)
def test_wrong_inputs_are_named(inputs: dict[str, np.ndarray]) -> None:
    engine = TensorRtEngine(manifest(DOUBLER), load(fake()))
    with pytest.raises(EngineError, match=r"expected image uint8 \('N', 2, 3\), context .* got image"):
        engine.run(inputs)


@pytest.mark.parametrize("broken", ["deserialize", "context", "execute", "validity"], ids=lambda what: f"{what} fails")
def test_failures_are_errors_that_free_everything(broken: str) -> None:
    machine = fake(RTX, breaks=broken)
    with pytest.raises(EngineError, match="tensorrt_rtx"):
        TensorRtEngine(manifest(DOUBLER), load(machine))
    assert machine.cuda.live == []


def test_another_network_than_the_manifests_is_refused() -> None:
    machine = fake()
    with pytest.raises(EngineError, match="the manifest says"):
        TensorRtEngine(manifest(SEARCH), load(machine))
    assert machine.cuda.live == []


def test_close_frees_everything() -> None:
    machine = fake()
    engine = TensorRtEngine(manifest(DOUBLER), load(machine))
    engine.run(people(3))
    engine.close()
    assert machine.cuda.live == []


def test_kernels_of_rtx_are_kept() -> None:
    assert load(fake(RTX)).kernels() == b"kernels"
    assert load(fake(FULL)).kernels() == b""


def test_stored_kernels_are_used_where_they_fit(caplog: pytest.LogCaptureFixture) -> None:
    machine = fake(RTX)
    library = TensorRt(machine.module(), machine.edition)
    data = b"engine:" + machine.bindings.encode()
    for kernels in (b"kernels", b"of another GPU"):
        with caplog.at_level("INFO"):
            LoadedEngine(library, data, kernels=kernels, stream=CudaStream(cast(types.ModuleType, machine.cuda)))
    assert machine.kernels_given == [b"kernels", b"of another GPU"]
    assert len(caplog.records) == 1


def test_one_run_on_zeros() -> None:
    machine = fake()
    load(machine).run_zeros()
    assert "cudaGraphLaunch" in machine.cuda.calls
