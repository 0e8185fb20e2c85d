# SPDX-License-Identifier: Apache-2.0
"""CUDA's part, on a fake of its runtime; and that the real module has every name that the fake has."""

from __future__ import annotations

import os

import numpy as np
import pytest

from hmr_ros.engines.runtime import EngineError
from hmr_ros.engines.tensorrt import cuda
from hmr_ros.engines.tensorrt.cuda import CudaError, CudaStream, Gpu, GpuLimits, find_gpu, gpu_limits
from test.engines.fake_cuda import FakeCuda


def test_describes_the_gpu() -> None:
    assert find_gpu(FakeCuda(capability=(8, 7))) == Gpu("Orin", "sm_87", "12.6")
    assert find_gpu(FakeCuda(capability=(12, 0))).capability == "sm_120"


def test_knows_what_the_gpu_can_do() -> None:
    """An AGX Orin's 204.8 GB/s."""
    assert gpu_limits(FakeCuda()) == GpuLimits(cycles_per_s=16e9, bytes_per_s=204.8e9)


def test_says_that_there_is_no_gpu() -> None:
    with pytest.raises(CudaError, match="no NVIDIA GPU"):
        find_gpu(FakeCuda(gpus=0))


def test_says_what_cuda_says() -> None:
    fake = FakeCuda()
    fake.fail["cudaGetDeviceCount"] = 35
    with pytest.raises(CudaError, match="cudaGetDeviceCount: error 35"):
        find_gpu(fake)


def test_a_missing_package_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cuda.bindings.runtime", None)
    with pytest.raises(EngineError, match="pip install"):
        find_gpu()


def test_copies_when_waited_for() -> None:
    stream = CudaStream(FakeCuda())
    host, back, device = stream.pinned(4), stream.pinned(4), stream.device(4)
    assert not host.any()
    host[:] = [1, 2, 3, 4]
    stream.copy_to_device(device, host)
    stream.copy_to_host(back, device)
    stream.wait()
    np.testing.assert_array_equal(back, host)


def test_work_in_the_background_goes_last() -> None:
    fake = FakeCuda()
    CudaStream(fake)
    CudaStream(fake, background=True)
    assert fake.priorities == [-5, 0]  # the smaller number goes first


def test_replays_what_it_captured() -> None:
    fake = FakeCuda()
    stream = CudaStream(fake)
    host, back, device = stream.pinned(1), stream.pinned(1), stream.device(1)

    def there_and_back() -> None:
        stream.copy_to_device(device, host)
        stream.copy_to_host(back, device)

    graph = stream.capture(there_and_back)
    stream.wait()
    assert back[0] == 0  # recording does nothing
    for value in (7, 9):
        host[0] = value
        graph.launch()
        stream.wait()
        assert back[0] == value


def test_a_graph_may_be_freed_before_the_stream() -> None:
    fake = FakeCuda()
    stream = CudaStream(fake)
    stream.capture(lambda: None).close()
    assert fake.live == ["stream"]
    stream.close()
    assert fake.live == []


def test_an_error_ends_the_capture() -> None:
    fake = FakeCuda()
    stream = CudaStream(fake)

    def fails() -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        stream.capture(fails)
    assert fake.captured is None


def test_close_frees_everything_once() -> None:
    fake = FakeCuda()
    stream = CudaStream(fake)
    stream.pinned(3)
    stream.device(3)
    stream.capture(lambda: None)
    stream.close()
    assert fake.live == []
    stream.close()


def test_the_real_module_has_every_name() -> None:
    real = pytest.importorskip("cuda.bindings.runtime", reason="cuda-python is not installed")
    names = [name for name in dir(FakeCuda) if name.startswith("cuda")]
    assert [name for name in names if not hasattr(real, name)] == []
    for group in ("cudaMemcpyKind", "cudaStreamCaptureMode", "cudaError_t", "cudaDeviceAttr"):
        for name in vars(getattr(FakeCuda, group)):
            assert hasattr(getattr(real, group), name)


def test_a_machine_without_a_driver_says_so() -> None:
    real = pytest.importorskip("cuda.bindings.runtime", reason="cuda-python is not installed")
    if real.cudaGetDeviceCount()[0] == real.cudaError_t.cudaSuccess:
        pytest.skip("this machine has a GPU")
    with pytest.raises(CudaError):
        cuda.find_gpu()


@pytest.fixture
def undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has not chosen a GPU yet."""
    monkeypatch.setattr(cuda, "_used", [])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "to be put back as it was")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")


@pytest.mark.usefixtures("undecided")
@pytest.mark.parametrize(
    ("visible", "index", "shown"), [(None, 0, None), (None, 2, "2"), ("3,GPU-5", 1, "GPU-5"), ("3", 0, "3")]
)
def test_the_gpu_that_is_asked_for_is_the_only_one_shown(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, index: int, shown: str | None
) -> None:
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    cuda.use_device(index)
    assert os.environ.get("CUDA_VISIBLE_DEVICES") == shown
    cuda.use_device(index)
    with pytest.raises(EngineError, match=f"uses GPU {index}, so not 7"):
        cuda.use_device(7)


@pytest.mark.usefixtures("undecided")
def test_a_gpu_that_is_not_shown_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    with pytest.raises(EngineError, match="GPU 1 is asked for, but CUDA_VISIBLE_DEVICES shows 1"):
        cuda.use_device(1)
