# SPDX-License-Identifier: Apache-2.0
"""What an engine needs of ONNX Runtime, from its Python package or its C library: protocols and settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from hmr_ros.core.arrays import Array

CPU, CUDA, TENSORRT = "onnxruntime", "onnxruntime:cuda", "onnxruntime:tensorrt"
"""Names of backends."""

PROVIDERS: dict[str, tuple[str, dict[str, str]]] = {
    CPU: ("CPUExecutionProvider", {}),
    CUDA: ("CUDAExecutionProvider", {"use_tf32": "0"}),  # fp32 is to mean fp32
    TENSORRT: ("TensorrtExecutionProvider", {}),
}
"""Backend -> ONNX Runtime's execution provider, and its options where the defaults will not do."""

# Each session has a thread pool that spins after its last inference and starves the next session's pool: detector and
# landmarks alternating take twice as long without this.
CONFIG = {"session.force_spinning_stop": "1"}
"""Configuration of every session. All graph optimisations are on, and only errors are logged."""


class Session(Protocol):
    """A loaded network."""

    def providers(self) -> Sequence[str]:
        """Execution providers that it really uses."""

    def run(self, outputs: Sequence[str], inputs: Mapping[str, Array]) -> Sequence[Array]:
        """The tensors ``outputs``, in this order. Raises an exception of no particular type."""

    def close(self) -> None:
        """Free the network; ``run`` must not be called afterwards."""


class Runtime(Protocol):
    """ONNX Runtime."""

    version: str

    def providers(self) -> Sequence[str]:
        """Execution providers that it was built for."""

    def open(self, model: bytes, threads: int, backend: str) -> Session:
        """The network in ``model``. Raises an exception of no particular type."""
