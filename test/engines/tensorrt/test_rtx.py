# SPDX-License-Identifier: Apache-2.0
"""Real builds: TensorRT for RTX compiles networks for GPUs that are not there. Nothing here can run them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import onnx
import pytest

from hmr_ros.core.manifest import file_sha256, load_manifest, models_dir, write_manifest
from hmr_ros.engines.runtime import EngineError
from hmr_ros.engines.tensorrt.api import load_tensorrt
from hmr_ros.engines.tensorrt.build import build_engine
from hmr_ros.engines.tensorrt.build_request import (
    ANY_GPU,
    EVERY_BATCH,
    NO_DRIVER,
    BuildRequest,
    EngineTarget,
    request_for,
)
from hmr_ros.engines.variants import FP16_SUFFIX, INT8_SUFFIX
from hmr_ros.export.fp16 import to_fp16
from test.engines.fake_tensorrt import BINDINGS
from test.engines.test_runtime import save_doubler

rtx = pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed")

TARGETS = ("sm_75", "sm_86", "sm_89", "sm_120")
MANIFESTS = [path for path in sorted(models_dir().glob("*.json")) if not path.stem.endswith(INT8_SUFFIX)]
FP16_MODELS = [path for path in MANIFESTS if path.stem.endswith(FP16_SUFFIX)]


def request(path: Path, capability: str) -> BuildRequest:
    target = EngineTarget("tensorrt_rtx", rtx.__version__, ANY_GPU, capability, NO_DRIVER, "fp32")
    return BuildRequest(path, file_sha256(path), target, EVERY_BATCH)


def test_the_fake_has_the_names_of_the_real_one() -> None:
    recorded = BINDINGS.get(f"tensorrt_rtx {rtx.__version__}")
    if recorded is None:
        pytest.skip(f"the names were not written down for tensorrt_rtx {rtx.__version__}")
    for name, members in recorded.items():
        assert [member for member in members.split() if not hasattr(getattr(rtx, name), member)] == []


def test_builds_with_progress(tmp_path: Path) -> None:
    save_doubler(tmp_path)
    seen: list[float] = []
    engine = build_engine(
        request(tmp_path / "d.onnx", "+".join(TARGETS)), lambda phase, fraction: seen.append(fraction)
    )
    assert len(engine) > 1000
    assert seen == sorted(seen)
    assert seen[0] == 0.0
    assert seen[-1] == 1.0


def test_an_interrupt_ends_the_build(tmp_path: Path) -> None:
    save_doubler(tmp_path)

    def interrupt(phase: str, fraction: float) -> None:
        if fraction > 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_engine(request(tmp_path / "d.onnx", "sm_86"), interrupt)


def test_a_damaged_network_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "d.onnx"
    path.write_bytes(b"nothing")
    with pytest.raises(EngineError, match="cannot read it"):
        build_engine(request(path, "sm_86"), lambda phase, fraction: None)


def test_an_engine_without_a_gpu_is_an_error(tmp_path: Path) -> None:
    save_doubler(tmp_path)
    data = build_engine(request(tmp_path / "d.onnx", "sm_86"), lambda phase, fraction: None)
    with pytest.raises(EngineError, match="tensorrt_rtx"):
        load_tensorrt("tensorrt_rtx").deserialize(data[: len(data) // 2], host_code=False)


def halved(path: Path, directory: Path) -> Path:
    """The manifest of the same network in half, in ``directory``."""
    manifest = load_manifest(path)
    model = to_fp16(onnx.load(manifest.model_path(path)))
    onnx.save(model, directory / manifest.file)
    write_manifest(dataclasses.replace(manifest, sha256=file_sha256(directory / manifest.file)), directory / path.name)
    return directory / path.name


def compile_shipped(path: Path, capability: str) -> bytes:
    """The engine of one of the shipped networks, for its own profile."""
    manifest = load_manifest(path)
    target = EngineTarget("tensorrt_rtx", rtx.__version__, ANY_GPU, capability, NO_DRIVER, "fp32")
    return build_engine(request_for(path, manifest, target), lambda phase, fraction: None)


@pytest.mark.parametrize("path", FP16_MODELS, ids=lambda path: path.stem)
def test_the_shipped_halves_compile_for_all_at_once(path: Path) -> None:
    assert len(compile_shipped(path, "+".join(TARGETS))) > 1 << 20


@pytest.mark.slow
@pytest.mark.parametrize("capability", TARGETS)
@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_the_shipped_networks_compile(path: Path, capability: str, tmp_path: Path) -> None:
    if capability == "sm_75" and path not in FP16_MODELS:  # TensorRT for RTX has no fp32 matrix products there
        path = halved(path, tmp_path)
    assert len(compile_shipped(path, capability)) > 1 << 20


def test_fp32_on_turing_is_sent_to_fp16() -> None:
    with pytest.raises(EngineError, match="use the fp16 network"):
        build_engine(request(models_dir() / "pose2mesh.onnx", "sm_75"), lambda phase, fraction: None)
