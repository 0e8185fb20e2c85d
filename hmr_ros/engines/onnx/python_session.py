# SPDX-License-Identifier: Apache-2.0
"""A network in ONNX Runtime's Python package, on the CPU, or on a GPU where the package was built for it."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hmr_ros.core.arrays import Array
from hmr_ros.engines.onnx.session import CONFIG, CPU, PROVIDERS

if TYPE_CHECKING:
    import onnxruntime


class PythonRuntime:
    """A Runtime of the package ``onnxruntime``."""

    def __init__(self, package: types.ModuleType) -> None:
        self._package = package
        self.version: str = package.__version__

    def providers(self) -> Sequence[str]:
        """Execution providers that it was built for."""
        built: Sequence[str] = self._package.get_available_providers()
        return built

    def open(self, model: bytes, threads: int, backend: str) -> PythonSession:
        """The network in ``model``; what a GPU cannot do is done on the CPU. Raises one of the package's exceptions."""
        providers = [PROVIDERS[backend], *([PROVIDERS[CPU]] if backend != CPU else [])]
        return PythonSession(self._package.InferenceSession(model, self._options(threads), providers=providers))

    def _options(self, threads: int) -> onnxruntime.SessionOptions:
        options = self._package.SessionOptions()
        options.intra_op_num_threads = threads
        options.graph_optimization_level = self._package.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 3  # errors only, and those reach the caller as exceptions
        for name, value in CONFIG.items():
            options.add_session_config_entry(name, value)
        return options


class PythonSession:
    """A Session of the package ``onnxruntime``."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session

    def providers(self) -> Sequence[str]:
        """Execution providers that it really uses."""
        used: Sequence[str] = self._session.get_providers()
        return used

    def run(self, outputs: Sequence[str], inputs: Mapping[str, Array]) -> Sequence[Array]:
        """The tensors ``outputs``, in this order. Raises one of the package's exceptions."""
        tensors: Sequence[Array] = self._session.run(list(outputs), dict(inputs))
        return tensors

    def close(self) -> None:
        """Free the network; ``run`` must not be called afterwards."""
        del self._session
