# SPDX-License-Identifier: Apache-2.0
"""A CUDA runtime without a GPU, on host memory, as far as the engines use it.

Streams are lazy: what is put on one is done when somebody waits for it, so that a missing wait gives wrong answers. It
says nothing about speed.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from typing import Any

import numpy as np


class FakeCuda:
    """``cuda.bindings.runtime``. ``live`` counts what is not freed; ``fail`` maps functions to error codes."""

    cudaStreamNonBlocking = 1  # noqa: N815
    cudaHostAllocDefault = 0  # noqa: N815
    cudaError_t = types.SimpleNamespace(cudaSuccess=0)  # noqa: N815
    cudaMemcpyKind = types.SimpleNamespace(cudaMemcpyHostToDevice="up", cudaMemcpyDeviceToHost="down")  # noqa: N815
    cudaStreamCaptureMode = types.SimpleNamespace(cudaStreamCaptureModeThreadLocal=1)  # noqa: N815

    cudaDeviceAttr = types.SimpleNamespace(  # noqa: N815
        cudaDevAttrMultiProcessorCount=16,  # the values stand for themselves
        cudaDevAttrClockRate=1_000_000,
        cudaDevAttrMemoryClockRate=3_200_000,
        cudaDevAttrGlobalMemoryBusWidth=256,
    )

    def __init__(self, capability: tuple[int, int] = (8, 7), gpus: int = 1) -> None:
        self.capability, self.gpus = capability, gpus
        self.calls: list[str] = []
        self.fail: dict[str, int] = {}
        self.live: list[object] = []
        self.priorities: list[int] = []  # of the streams that were created
        self.memory: dict[int, np.ndarray] = {}
        self.queue: list[Callable[[], None]] = []
        self.captured: list[Callable[[], None]] | None = None

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if not name.startswith("cuda") or not callable(found) or name == "cudaGetErrorString":
            return found
        self.calls.append(name)
        return (lambda *arguments: (self.fail[name], None)) if name in self.fail else found

    def put(self, work: Callable[[], None]) -> None:
        """Do ``work`` when the stream comes to it."""
        (self.queue if self.captured is None else self.captured).append(work)

    def array(self, address: int, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
        """The memory at ``address``, which was allocated, and large enough."""
        size = math.prod(shape) * np.dtype(dtype).itemsize
        return self.memory[address][:size].view(dtype).reshape(shape)

    def cudaGetErrorString(self, error: int) -> tuple[int, bytes]:  # noqa: N802
        return 0, f"error {error}".encode()

    def cudaGetDeviceCount(self) -> tuple[int, int]:  # noqa: N802
        return 0, self.gpus

    def cudaGetDeviceProperties(self, device: int) -> tuple[int, object]:  # noqa: N802
        major, minor = self.capability
        return 0, types.SimpleNamespace(name=b"Orin\0\0", major=major, minor=minor)

    def cudaDeviceGetAttribute(self, value: int, device: int) -> tuple[int, int]:  # noqa: N802
        return 0, value

    def cudaDriverGetVersion(self) -> tuple[int, int]:  # noqa: N802
        return 0, 12060

    def cudaDeviceGetStreamPriorityRange(self) -> tuple[int, int, int]:  # noqa: N802
        return 0, 0, -5

    def cudaStreamCreateWithPriority(self, flags: int, priority: int) -> tuple[int, int]:  # noqa: N802
        assert flags == self.cudaStreamNonBlocking
        self.priorities.append(priority)
        self.live.append("stream")
        return 0, 42

    def cudaStreamDestroy(self, stream: int) -> tuple[int]:  # noqa: N802
        self.live.remove("stream")
        return (0,)

    def cudaStreamSynchronize(self, stream: int) -> tuple[int]:  # noqa: N802
        assert self.captured is None, "a wait cannot be recorded"
        while self.queue:
            self.queue.pop(0)()
        return (0,)

    def cudaHostAlloc(self, size: int, flags: int) -> tuple[int, int]:  # noqa: N802
        return self.cudaMalloc(size)

    def cudaFreeHost(self, address: int) -> tuple[int]:  # noqa: N802
        return self.cudaFree(address)

    def cudaMalloc(self, size: int) -> tuple[int, int]:  # noqa: N802
        memory = np.full(size, 0xCD, np.uint8)  # as dirty as real memory
        self.memory[memory.ctypes.data] = memory
        self.live.append(memory.ctypes.data)
        return 0, memory.ctypes.data

    def cudaFree(self, address: int) -> tuple[int]:  # noqa: N802
        self.live.remove(address)
        return (0,)

    def cudaMemcpyAsync(self, to: int, source: int, size: int, kind: str, stream: int) -> tuple[int]:  # noqa: N802
        def copy() -> None:
            self.memory[to][:size] = self.memory[source][:size]

        self.put(copy)
        return (0,)

    def cudaStreamBeginCapture(self, stream: int, mode: int) -> tuple[int]:  # noqa: N802
        self.captured = []
        return (0,)

    def cudaStreamEndCapture(self, stream: int) -> tuple[int, object]:  # noqa: N802
        graph, self.captured = self.captured, None
        return 0, graph

    def cudaGraphInstantiate(self, graph: object, flags: int) -> tuple[int, object]:  # noqa: N802
        self.live.append(graph)
        return 0, graph

    def cudaGraphDestroy(self, graph: object) -> tuple[int]:  # noqa: N802
        return (0,)

    def cudaGraphLaunch(self, graph: list[Callable[[], None]], stream: int) -> tuple[int]:  # noqa: N802
        self.queue.extend(graph)
        return (0,)

    def cudaGraphExecDestroy(self, graph: object) -> tuple[int]:  # noqa: N802
        self.live.remove(graph)
        return (0,)
