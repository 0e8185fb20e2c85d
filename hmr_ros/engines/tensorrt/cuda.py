# SPDX-License-Identifier: Apache-2.0
"""The little of CUDA that an engine needs: which GPU there is, and one stream with its memory and captured graphs.

Through NVIDIA's ``cuda-python`` (module ``cuda.bindings.runtime``), which is imported only when a GPU is asked for.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, SupportsInt, cast

import numpy as np

from hmr_ros.core.arrays import Bytes
from hmr_ros.engines.runtime import EngineError

DEVICE = 0
"""The first visible GPU; ``use_device`` or CUDA_VISIBLE_DEVICES choose another."""

_VISIBLE = "CUDA_VISIBLE_DEVICES"


class CudaError(EngineError):
    """A call to CUDA failed."""


@dataclass(frozen=True)
class Gpu:
    """``capability`` as in "sm_87"; ``driver``: the newest CUDA that the driver knows, as in "12.6"."""

    name: str
    capability: str
    driver: str


def find_gpu(module: types.ModuleType | None = None) -> Gpu:
    """The GPU to use; quick where there is none. Raises EngineError that says what is missing."""
    cuda = _Calls(module or _import_cuda())
    if not cuda.number("cudaGetDeviceCount"):
        raise CudaError("no NVIDIA GPU is visible; see nvidia-smi and CUDA_VISIBLE_DEVICES")
    properties = cast(_Properties, cuda("cudaGetDeviceProperties", DEVICE))
    name = properties.name.decode().strip("\0")
    driver = cuda.number("cudaDriverGetVersion")  # 12060 is 12.6
    return Gpu(name, f"sm_{properties.major}{properties.minor}", f"{driver // 1000}.{driver % 1000 // 10}")


_used: list[int] = []
"""The device that this process has decided for, once it has."""


def use_device(index: int) -> None:
    """Take the ``index``-th visible GPU, for good: this process and those it starts see no other one from now on.

    CUDA reads the environment once, so this comes before its first use. Raises EngineError for a second choice.
    """
    if _used == [index]:
        return
    if _used:
        raise EngineError(f"this process uses GPU {_used[0]}, so not {index}: start another process for that")
    if index:
        visible = os.environ[_VISIBLE].split(",") if _VISIBLE in os.environ else [str(i) for i in range(index + 1)]
        if index >= len(visible):
            raise EngineError(f"GPU {index} is asked for, but {_VISIBLE} shows {len(visible)}")
        os.environ[_VISIBLE] = visible[index]
    _used.append(index)


@dataclass(frozen=True)
class GpuLimits:
    """What the GPU can do at most, by its clocks: multiprocessor cycles and bytes of its memory per second.

    0 where the driver does not report it, as for memory on some Jetsons.
    """

    cycles_per_s: float
    bytes_per_s: float


def gpu_limits(module: types.ModuleType | None = None) -> GpuLimits:
    """Limits of the GPU that ``find_gpu`` finds. Raises EngineError."""
    cuda = _Calls(module or _import_cuda())

    def attribute(name: str) -> int:
        return cuda.number("cudaDeviceGetAttribute", getattr(cuda.module.cudaDeviceAttr, f"cudaDevAttr{name}"), DEVICE)

    cycles = attribute("MultiProcessorCount") * attribute("ClockRate") * 1e3  # kHz
    # Two transfers per clock: double data rate. The bus width is in bits.
    transferred = 2 * attribute("MemoryClockRate") * 1e3 * attribute("GlobalMemoryBusWidth") / 8
    return GpuLimits(cycles, transferred)


@dataclass(frozen=True, eq=False)
class Graph:
    """Recorded work: ``launch`` puts all of it on its stream at once; ``close`` frees it before the stream goes."""

    launch: Callable[[], object]
    close: Callable[[], None]


class CudaStream:
    """Work for the GPU, done in order, with the memory it works on. Nothing waits except ``wait`` and ``close``."""

    def __init__(self, module: types.ModuleType | None = None, *, background: bool = False) -> None:
        """``module`` has the functions of ``cuda.bindings.runtime``. Raises EngineError where that is impossible.

        ``background``: where the GPU is busy, work of the other streams goes first.
        """
        self._cuda = _Calls(module or _import_cuda())
        self._undo: list[Callable[[], object]] = []
        least, greatest = self._cuda.several("cudaDeviceGetStreamPriorityRange")
        # One that does not wait for the default stream, on which others may work.
        flags, priority = self._cuda.module.cudaStreamNonBlocking, least if background else greatest
        self._handle = self._cuda("cudaStreamCreateWithPriority", flags, priority)
        self._on_close("cudaStreamDestroy", self._handle)

    def __int__(self) -> int:
        """The address that TensorRT knows the stream by."""
        return int(cast(SupportsInt, self._handle))

    def pinned(self, size: int) -> Bytes:
        """``size`` zeroed bytes of host memory that the GPU copies from and to by itself, valid until ``close``."""
        address = self._cuda.number("cudaHostAlloc", size, self._cuda.module.cudaHostAllocDefault)
        self._on_close("cudaFreeHost", address)
        memory = np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address))
        memory.fill(0)
        return memory

    def device(self, size: int) -> int:
        """Address of ``size`` bytes on the GPU, valid until ``close``."""
        address = self._cuda.number("cudaMalloc", size)
        self._on_close("cudaFree", address)
        return address

    def copy_to_device(self, address: int, host: Bytes) -> None:
        """Copy pinned ``host`` to the GPU."""
        self._copy(address, host.ctypes.data, host.nbytes, "cudaMemcpyHostToDevice")

    def copy_to_host(self, host: Bytes, address: int) -> None:
        """Fill pinned ``host`` from the GPU."""
        self._copy(host.ctypes.data, address, host.nbytes, "cudaMemcpyDeviceToHost")

    def wait(self) -> None:
        """Until all is done."""
        self._cuda("cudaStreamSynchronize", self._handle)

    def capture(self, work: Callable[[], None]) -> Graph:
        """Record what ``work`` puts on this stream, without doing it."""
        # Thread-local: calls of other threads, which have streams of their own, are no business of this recording.
        mode = self._cuda.module.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._cuda("cudaStreamBeginCapture", self._handle, mode)
        try:
            work()
        finally:  # or the stream could do nothing else any more
            graph = self._cuda("cudaStreamEndCapture", self._handle)
        executable = self._cuda("cudaGraphInstantiate", graph, 0)
        self._cuda("cudaGraphDestroy", graph)
        free = self._on_close("cudaGraphExecDestroy", executable)

        def close() -> None:
            self._undo.remove(free)
            free()

        return Graph(lambda: self._cuda("cudaGraphLaunch", executable, self._handle), close)

    def close(self) -> None:
        """Wait, then free graphs, memory and stream. Arrays from ``pinned`` must not be used afterwards."""
        if self._undo:
            self.wait()
        while self._undo:
            self._undo.pop()()

    def _copy(self, to: int, source: int, size: int, kind: str) -> None:
        direction = getattr(self._cuda.module.cudaMemcpyKind, kind)
        self._cuda("cudaMemcpyAsync", to, source, size, direction, self._handle)

    def _on_close(self, name: str, argument: object) -> Callable[[], object]:
        def undo() -> object:
            return self._cuda(name, argument)

        self._undo.append(undo)
        return undo


class _Properties(Protocol):
    """Of cudaDeviceProp."""

    name: bytes
    major: int
    minor: int


class _Calls:
    """CUDA's functions, with error codes raised as CudaError."""

    def __init__(self, module: types.ModuleType) -> None:
        self.module = module

    def __call__(self, name: str, *arguments: object) -> object:
        """What the function ``name`` gives beside its error code."""
        results = self.several(name, *arguments)
        return results[0] if results else None

    def several(self, name: str, *arguments: object) -> list[object]:
        """The same, of a function that gives several results."""
        error: object
        results: list[object]
        error, *results = getattr(self.module, name)(*arguments)
        if error != self.module.cudaError_t.cudaSuccess:
            _, text = self.module.cudaGetErrorString(error)
            raise CudaError(f"{name}: {text.decode()}")
        return results

    def number(self, name: str, *arguments: object) -> int:
        """The same, of a function that gives a number or an address."""
        return int(cast(SupportsInt, self(name, *arguments)))


def _import_cuda() -> types.ModuleType:
    try:
        return importlib.import_module("cuda.bindings.runtime")
    except ImportError as err:
        raise EngineError(
            "running on a GPU needs cuda-python for the CUDA version of its driver: "
            "pip install 'cuda-python==12.6.*' on JetPack 6, pip install cuda-python elsewhere"
        ) from err
