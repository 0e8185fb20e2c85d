# SPDX-License-Identifier: Apache-2.0
"""Building engines: every version through the fake, whose classes have only the names that the version has."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest

from hmr_ros.engines.runtime import EngineError
from hmr_ros.engines.tensorrt import build as tensorrt_build
from hmr_ros.engines.tensorrt.api import TensorRt, load_tensorrt
from hmr_ros.engines.tensorrt.build import ProgressTree, build_engine, compile_onnx
from hmr_ros.engines.tensorrt.build_request import ANY_GPU, EVERY_BATCH, NO_DRIVER, BuildRequest, EngineTarget
from test.engines.fake_cuda import FakeCuda
from test.engines.fake_tensorrt import BINDINGS, FakeNetwork, FakeTensorRt

FULL, *_, RTX = BINDINGS
NETWORK = FakeNetwork({"image": ("uint8", ("N", "H", "W", 3)), "context": ("float32", ("N", 1))}, {}, lambda arrays: {})


def fake(bindings: str, breaks: str = "") -> FakeTensorRt:
    return FakeTensorRt(bindings, NETWORK, FakeCuda(), {breaks})


def library(machine: FakeTensorRt) -> TensorRt:
    return TensorRt(machine.module(), machine.edition)


def request(directory: Path, bindings: str, capability: str = "sm_86") -> BuildRequest:
    path = directory / "net.onnx"
    path.write_bytes(b"onnx")
    edition, version = bindings.split()
    target = EngineTarget(edition, version, ANY_GPU, capability, NO_DRIVER, "fp32")
    return BuildRequest(path, hashlib.sha256(b"onnx").hexdigest(), target, EVERY_BATCH, workspace_bytes=1000)


def ignore(phase: str, fraction: float) -> None:
    pass


@pytest.mark.parametrize("bindings", BINDINGS)
def test_every_version_builds(bindings: str, tmp_path: Path) -> None:
    machine = fake(bindings)
    assert compile_onnx(library(machine), request(tmp_path, bindings), ignore) == b"engine:" + bindings.encode()
    log = machine.configs[0]._log
    assert ("MemoryPoolType.WORKSPACE", 1000) in log
    assert ("clear", "BuilderFlag.TF32") in log
    ranges = {"image": ((1, 64, 64, 3), (4, 352, 640, 3), (8, 1664, 1664, 3)), "context": ((1, 1), (4, 1), (8, 1))}
    assert ("profile", ranges) in log
    assert not any(entry[0] == "set" for entry in log)


def test_rtx_builds_for_several_gpus(tmp_path: Path) -> None:
    machine = fake(RTX)
    compile_onnx(library(machine), request(tmp_path, RTX, "sm_75+sm_120"), ignore)
    log = machine.configs[0]._log
    assert ("num_compute_capabilities", 2) in log
    assert [entry for entry in log if entry[0] in (0, 1)] == [
        (0, "ComputeCapability.SM75"),
        (1, "ComputeCapability.SM120"),
    ]


@pytest.mark.parametrize("bindings", list(BINDINGS)[:-1])
def test_the_full_tensorrt_is_compatible_on_request(bindings: str, tmp_path: Path) -> None:
    machine = fake(bindings)
    wish = dataclasses.replace(request(tmp_path, bindings), version_compatible=True, hardware_compatible=True)
    compile_onnx(library(machine), wish, ignore)
    log = machine.configs[0]._log
    assert ("set", "BuilderFlag.VERSION_COMPATIBLE") in log
    assert ("hardware_compatibility_level", "HardwareCompatibilityLevel.AMPERE_PLUS") in log


def test_rtx_names_gpus_instead_of_being_compatible(tmp_path: Path) -> None:
    wish = dataclasses.replace(request(tmp_path, RTX), hardware_compatible=True)
    with pytest.raises(EngineError, match=r"sm_86\+sm_89"):
        compile_onnx(library(fake(RTX)), wish, ignore)


@pytest.mark.parametrize(("capability", "name"), [("sm_87", "Orin"), ("sm_90", "H200"), ("sm_110", "Thor")])
def test_gpus_that_rtx_does_not_know_are_sent_to_the_full_one(capability: str, name: str) -> None:
    with pytest.raises(EngineError, match=rf"{capability} \(.*{name}.*\).*full TensorRT"):
        library(fake(RTX)).require_target((capability,), here=None)


def test_the_full_tensorrt_builds_for_its_own_gpu_only() -> None:
    orin = library(fake(FULL))
    orin.require_target(("sm_87",), here="sm_87")
    with pytest.raises(EngineError, match="which is sm_87; got sm_86"):
        orin.require_target(("sm_86",), here="sm_87")
    with pytest.raises(EngineError, match="which is absent"):
        orin.require_target(("sm_86",), here=None)


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    wish = request(tmp_path, FULL)
    wish.onnx_path.write_bytes(b"other")
    with pytest.raises(EngineError, match="sha256"):
        compile_onnx(library(fake(FULL)), wish, ignore)


def test_what_the_parser_says_is_told(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="node 'scatter': an operation it does not know"):
        compile_onnx(library(fake(FULL, "parse")), request(tmp_path, FULL), ignore)


def test_what_the_builder_says_is_told(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no kernel for it"):
        compile_onnx(library(fake(FULL, "build")), request(tmp_path, FULL), ignore)


def test_a_size_without_a_range_is_named(tmp_path: Path) -> None:
    network = FakeNetwork({"x": ("float32", ("N", "T"))}, {}, lambda arrays: {})
    with pytest.raises(EngineError, match="'x' has a size 'T'"):
        compile_onnx(library(FakeTensorRt(FULL, network, FakeCuda())), request(tmp_path, FULL), ignore)


def test_another_version_than_asked_for_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorrt_build, "load_tensorrt", lambda edition: library(fake(FULL)))
    wish = request(tmp_path, FULL)
    wish = dataclasses.replace(wish, target=dataclasses.replace(wish.target, version="8.6.1"))
    with pytest.raises(EngineError, match=r"8\.6\.1; tensorrt 10\.3\.0 is installed"):
        build_engine(wish, ignore)


def test_a_missing_library_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tensorrt", None)
    load_tensorrt.cache_clear()
    with pytest.raises(EngineError, match="JetPack"):
        load_tensorrt("tensorrt")


def test_progress_of_nested_phases_only_rises() -> None:
    seen: list[tuple[str, float]] = []
    tree = ProgressTree(lambda phase, fraction: seen.append((phase, fraction)))
    tree.phase_start("outer", None, 2)
    tree.phase_start("inner", "outer", 4)
    for step in range(4):
        tree.step_complete("inner", step)
    tree.phase_finish("inner")
    tree.step_complete("outer", 0)
    tree.phase_start("late", "outer", 2)
    tree.step_complete("late", 0)
    assert [fraction for _, fraction in seen] == [0, 0, 0.125, 0.25, 0.375, 0.5, 0.5, 0.5, 0.75]
    assert seen[-1][0] == "late"


def test_an_error_in_progress_stops_the_build(tmp_path: Path) -> None:
    def stop(phase: str, fraction: float) -> None:
        if fraction >= 0.25:
            raise KeyboardInterrupt

    machine = fake(FULL)
    with pytest.raises(KeyboardInterrupt):
        compile_onnx(library(machine), request(tmp_path, FULL), stop)
