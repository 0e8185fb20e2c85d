# SPDX-License-Identifier: Apache-2.0
"""Which backend is taken on which machine, and what is said about it. GPU, TensorRT and CUDA are fakes."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hmr_ros.core.config import BACKENDS, EngineSettings, RobotConfig
from hmr_ros.core.manifest import load_manifest, write_manifest
from hmr_ros.core.settings import describe
from hmr_ros.engines import backends, opening, switching
from hmr_ros.engines.backends import Choice, choose
from hmr_ros.engines.opening import LoggedProgress, fp16_of, open_engine, open_network
from hmr_ros.engines.runtime import Engine, EngineError, EngineOptions
from hmr_ros.engines.switching import open_serving
from hmr_ros.engines.tensorrt.api import load_tensorrt
from hmr_ros.engines.tensorrt.build import compile_onnx
from hmr_ros.engines.tensorrt.build_request import BuildRequest, Progress
from test.engines.fake_cuda import FakeCuda
from test.engines.fake_tensorrt import BINDINGS, FakeNetwork, FakeTensorRt
from test.engines.test_runtime import save_doubler

pytest.importorskip("onnxruntime")

FULL, *_, RTX = BINDINGS
NETWORK = FakeNetwork({"x": ("float32", ("N", 3))}, {"y": ("float32", ("N", 3))}, lambda a: {"y": 2 * a["x"]})


@pytest.fixture
def doubler(tmp_path: Path) -> Path:
    path = tmp_path / "d.json"
    write_manifest(dataclasses.replace(save_doubler(tmp_path), kind="pose2mesh"), path)
    return path


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    yield Machine(monkeypatch)
    monkeypatch.undo()
    _forget()


def _forget() -> None:
    """What was found on another machine."""
    load_tensorrt.cache_clear()
    backends._fastest.cache_clear()


class Machine:
    """What is installed and plugged in; nothing, at first."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        self.requests: list[BuildRequest] = []
        self.libraries: dict[str, FakeTensorRt] = {}
        self.stored_kernels, self.read_only = b"", False
        self.cuda = FakeCuda()
        monkeypatch.setattr(opening, "engine_cache", lambda directory, timeout_s=0.0, allow_build=True: self)
        for name in ("cuda.bindings.runtime", "tensorrt", "tensorrt_rtx"):
            monkeypatch.setitem(sys.modules, name, None)
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        _forget()

    def plug_in(self, capability: tuple[int, int], *bindings: str, breaks: str = "") -> None:
        """A GPU with libraries."""
        self.cuda = FakeCuda(capability)
        self.monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", self.cuda)
        for name in bindings:
            library = FakeTensorRt(name, NETWORK, self.cuda, {breaks})
            self.libraries[library.edition] = library
            self.monkeypatch.setitem(sys.modules, library.edition, library.module())

    def obtain(self, request: BuildRequest, progress: Progress) -> bytes:
        """As the engine cache does."""
        self.requests.append(request)
        return compile_onnx(load_tensorrt(request.target.edition), request, progress)

    def kernels(self, request: BuildRequest) -> bytes:
        """As the engine cache does."""
        return self.stored_kernels

    def store_kernels(self, request: BuildRequest, kernels: bytes) -> None:
        """As the engine cache does."""
        if self.read_only:
            raise EngineError("read-only")
        self.stored_kernels = kernels


def test_settings_and_engines_know_the_same_backends() -> None:
    (setting,) = (s for s in describe(RobotConfig) if s.name == "backend")
    assert setting.choices == BACKENDS


def test_the_cpu_where_there_is_no_gpu(machine: Machine, doubler: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        for _ in range(2):
            open_engine(doubler, threads=1)
    once, *networks = caplog.records
    assert {record.levelname for record in caplog.records} == {"INFO"}
    assert once.getMessage().startswith("no GPU is used: running on a GPU needs cuda-python")
    assert [record.getMessage() for record in networks] == ["doubler: onnxruntime, 1 thread (no GPU)"] * 2


def test_a_warning_where_a_gpu_was_meant_to_be(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    machine.monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == "tensorrt" or None)
    for _ in range(3):  # once for all networks
        assert choose("auto").backend == "onnxruntime"
    assert [record.levelname for record in caplog.records] == ["WARNING"]


@pytest.mark.parametrize(
    ("capability", "bindings", "backend"),
    [
        ((8, 7), (FULL,), "tensorrt"),
        ((8, 9), (FULL, RTX), "tensorrt"),
        ((8, 9), (RTX,), "tensorrt_rtx"),
        ((9, 0), (RTX,), "onnxruntime"),
        ((8, 9), (), "onnxruntime"),
    ],
)
def test_the_fastest_that_knows_the_gpu(
    machine: Machine, capability: tuple[int, int], bindings: tuple[str, ...], backend: str
) -> None:
    machine.plug_in(capability, *bindings)
    assert choose("auto").backend == backend


def test_what_is_asked_for_is_taken(machine: Machine) -> None:
    machine.plug_in((8, 9), FULL)
    assert choose("onnxruntime:cuda") == Choice("onnxruntime:cuda", "as asked for")


def test_runs_on_tensorrt_and_says_so(machine: Machine, doubler: Path, caplog: pytest.LogCaptureFixture) -> None:
    machine.plug_in((8, 7), FULL)
    with caplog.at_level("INFO"):
        engine = open_engine(doubler)
    x = np.ones((3, 3), np.float32)
    np.testing.assert_array_equal(engine.run({"x": x})["y"], 2 * x)
    assert caplog.records[-1].getMessage() == "doubler: tensorrt 10.3.0, fp32 (tensorrt 10.3.0 on Orin, sm_87)"
    target = machine.requests[0].target
    assert (target.gpu_name, target.compute_capability, target.driver) == ("Orin", "sm_87", "12.6")


@pytest.mark.parametrize("opened", [open_network, open_serving])
def test_networks_in_the_background_let_the_others_go_first(
    machine: Machine, doubler: Path, opened: Callable[[Path, EngineOptions], Engine]
) -> None:
    machine.plug_in((8, 7), FULL)
    machine.monkeypatch.setattr(switching, "_must_build", lambda *_: False)
    for background in (False, True):
        opened(doubler, EngineOptions(background=background)).close()
    first, last = machine.cuda.priorities
    assert first < last  # as CUDA counts


def test_rtx_compiles_kernels_once(machine: Machine, doubler: Path) -> None:
    machine.plug_in((8, 9), RTX)
    for _ in range(2):
        open_engine(doubler).close()
    assert machine.stored_kernels == b"kernels"
    assert machine.libraries["tensorrt_rtx"].kernels_given == [b"kernels"]  # of the second start


def test_kernels_that_cannot_be_kept_are_no_error(machine: Machine, doubler: Path) -> None:
    machine.plug_in((8, 9), RTX)
    machine.read_only = True
    open_engine(doubler).close()


def test_auto_falls_back_to_the_cpu(machine: Machine, doubler: Path, caplog: pytest.LogCaptureFixture) -> None:
    machine.plug_in((8, 7), FULL, breaks="build")
    x = np.ones((1, 3), np.float32)
    np.testing.assert_array_equal(open_engine(doubler).run({"x": x})["y"], 2 * x)
    assert "tensorrt does not run it, the CPU does: " in caplog.text
    assert "no kernel for it" in caplog.text


def test_what_was_asked_for_does_not_fall_back(machine: Machine, doubler: Path) -> None:
    machine.plug_in((8, 7), FULL, breaks="build")
    with pytest.raises(EngineError, match="no kernel for it"):
        open_engine(doubler, "tensorrt")
    with pytest.raises(EngineError, match="pip install tensorrt-rtx"):
        open_engine(doubler, "tensorrt_rtx")


def save_fp16(full: Path, source_sha256: str) -> Path:
    path = full.with_stem(full.stem + "_fp16")
    provenance = {"precision": "fp16", "source_sha256": source_sha256}
    write_manifest(dataclasses.replace(load_manifest(full), name="doubler_fp16", provenance=provenance), path)
    return path


def test_half_is_taken_where_it_is(machine: Machine, doubler: Path) -> None:
    half = save_fp16(doubler, load_manifest(doubler).sha256)
    machine.plug_in((8, 7), FULL)
    assert open_engine(doubler).manifest.name == "doubler_fp16"
    assert machine.requests[0].target.precision == "fp16"
    assert fp16_of(doubler) == half


def test_fp32_is_taken_where_it_is_asked_for(machine: Machine, doubler: Path) -> None:
    save_fp16(doubler, load_manifest(doubler).sha256)
    machine.plug_in((8, 7), FULL)
    assert open_network(doubler, EngineOptions(precision="fp32")).manifest.name == "doubler"
    assert machine.requests[0].target.precision == "fp32"


@pytest.mark.parametrize("wrong", [{"backend": "cuda"}, {"threads": -1}, {"device": -1}, {"precision": "int8"}])
def test_options_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=rf"{next(iter(wrong))}: expected"):
        EngineOptions(**wrong)


def test_a_half_of_another_network_is_not(doubler: Path, caplog: pytest.LogCaptureFixture) -> None:
    save_fp16(doubler, "0" * 64)
    assert fp16_of(doubler) is None
    assert "another network" in caplog.text


def test_a_damaged_half_is_not(doubler: Path, caplog: pytest.LogCaptureFixture) -> None:
    doubler.with_stem("d_fp16").write_text("{")
    assert fp16_of(doubler) is None
    assert "runs in fp32" in caplog.text


def test_progress_is_logged_by_tenths(caplog: pytest.LogCaptureFixture) -> None:
    progress = LoggedProgress("net")
    with caplog.at_level("INFO"):
        for fraction in (0.0, 0.05, 0.12, 0.19, 1.0):
            progress("timing", fraction)
    assert [record.args[1] for record in caplog.records if isinstance(record.args, tuple)] == [0, 12, 100]


def test_options_follow_the_settings() -> None:
    settings = EngineSettings(
        backend="onnxruntime",
        engine_cache="~/engines",
        allow_engine_build=False,
        engine_build_timeout_s=20.0,
        precision="fp32",
        device_id=3,
        num_threads=2,
        cpu_precision="int8",
    )
    cache = Path("~/engines").expanduser()
    assert EngineOptions.of(settings) == EngineOptions(
        "onnxruntime", 2, 3, cache, "fp32", False, 20.0, cpu_precision="int8"
    )
    assert EngineOptions.of(EngineSettings()) == EngineOptions()
