# SPDX-License-Identifier: Apache-2.0
"""`hmr bench --gpu` as far as it goes without a GPU: what networks cost, floors, and the answer where there is none."""

from __future__ import annotations

import sys

import numpy as np
import onnx
import pytest

from hmr_ros.bench import gpu
from hmr_ros.bench.flops import Cost, cost
from hmr_ros.cli import main
from hmr_ros.core.manifest import models_dir
from hmr_ros.engines import backends, opening
from hmr_ros.engines.backends import Choice
from hmr_ros.engines.tensorrt.cuda import GpuLimits
from test.engines.fake_cuda import FakeCuda
from test.export.test_fp16 import network, node


def test_counts_products() -> None:
    """(3, 4) by (4, 4) by (4, 2)."""
    model = network(
        node("MatMul", "x,a", "first"),
        node("Relu", "first", "relu"),
        node("Gemm", "relu,b", "y", transB=1),
        a=np.zeros((4, 4), np.float32),
        b=np.zeros((2, 4), np.float32),
    )
    assert cost(model, {"N": 3}) == Cost(flop=2 * 3 * (16 + 8), weight_bytes=4 * (16 + 8))


def test_counts_convolutions() -> None:
    """The landmark network is known for 0.35 GMAC."""
    found = cost(onnx.load(models_dir() / "blazepose_landmarks.onnx"), {"N": 2})
    assert found.flop / 2 / 2 == pytest.approx(0.351e9, rel=0.01)
    half = cost(onnx.load(models_dir() / "blazepose_landmarks_fp16.onnx"), {"N": 2})
    assert half.flop == found.flop
    assert half.weight_bytes == pytest.approx(found.weight_bytes / 2, rel=0.02)


def test_the_floor_is_the_larger_limit() -> None:
    limits = GpuLimits(cycles_per_s=16e9, bytes_per_s=200e9)
    assert gpu.floor_ms(Cost(flop=2048 * 16_000_000, weight_bytes=0), limits, "sm_87") == pytest.approx(1)
    assert gpu.floor_ms(Cost(flop=1, weight_bytes=400_000_000), limits, "sm_87") == pytest.approx(2)
    assert gpu.floor_ms(Cost(flop=1 << 40, weight_bytes=200_000_000), limits, "sm_999") == pytest.approx(1)
    assert gpu.floor_ms(Cost(flop=1 << 40, weight_bytes=1), GpuLimits(0, 0), "sm_87") == 0


def test_is_skipped_without_a_gpu(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(backends, "choose", lambda backend: Choice("onnxruntime", "no GPU: none is visible"))
    assert main(["bench", "--gpu"]) == 0
    assert capsys.readouterr().out.strip() == "gpu: skipped, no GPU: none is visible"


def test_times_every_network(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """On the CPU, in place of the GPU."""
    monkeypatch.setattr(backends, "choose", lambda backend: Choice("onnxruntime:cuda", "a test"))
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", FakeCuda())
    monkeypatch.setattr(gpu, "shipped", lambda: [models_dir() / "pose2mesh.json"])
    assert opening.choose is not backends.choose  # it imported the real one: here, a backend means itself
    real = gpu._time_network
    monkeypatch.setattr(gpu, "_time_network", lambda path, backend, *rest: real(path, "onnxruntime", *rest))
    assert main(["bench", "--gpu", "--repeats", "1"]) == 0
    printed = capsys.readouterr().out
    for batch in gpu.BATCHES:
        assert f"pose2mesh, batch {batch}, per person" in printed
    assert "floor in ms" in printed
