# SPDX-License-Identifier: Apache-2.0
"""Which library runs the networks on this machine, and why."""

from __future__ import annotations

import functools
import importlib.util
import logging
from dataclasses import dataclass

from hmr_ros.engines.onnx.engine import has_provider
from hmr_ros.engines.onnx.session import CPU, CUDA
from hmr_ros.engines.runtime import EngineError
from hmr_ros.engines.tensorrt.api import load_tensorrt
from hmr_ros.engines.tensorrt.build_request import EDITIONS
from hmr_ros.engines.tensorrt.cuda import Gpu, find_gpu

_GPU_PACKAGES = ("cuda", *EDITIONS)
"""Packages that are installed in order to use a GPU."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Choice:
    """A backend other than "auto", and why it is that one: in short, then, after a colon, what helps."""

    backend: str
    why: str

    @property
    def reason(self) -> str:
        """Why, in short."""
        return self.why.partition(":")[0]


def choose(backend: str) -> Choice:
    """The backend to use for ``backend``, one of BACKENDS; what was asked for is not second-guessed."""
    return _fastest() if backend == "auto" else Choice(backend, "as asked for")


@functools.cache
def _fastest() -> Choice:
    """TensorRT where there is a GPU and one of its packages that knows it, else ONNX Runtime on GPU or CPU."""
    try:
        gpu = find_gpu()
    except EngineError as err:
        level = logging.WARNING if any(map(importlib.util.find_spec, _GPU_PACKAGES)) else logging.INFO
        _log.log(level, "no GPU is used: %s", err)
        return Choice("onnxruntime", f"no GPU: {err}")
    reasons = []
    for edition in EDITIONS:
        try:
            return Choice(edition, f"{_usable(edition, gpu)} on {gpu.name}, {gpu.capability}")
        except EngineError as err:
            reasons.append(str(err))
    _log.warning("%s is not used by TensorRT: %s", gpu.name, "; ".join(reasons))
    provider = CUDA if has_provider(CUDA) else CPU
    return Choice(provider, f"no TensorRT for {gpu.name}")


def _usable(edition: str, gpu: Gpu) -> str:
    """The library's name and version. Raises EngineError if it is not installed or does not know the GPU."""
    library = load_tensorrt(edition)
    library.require_target((gpu.capability,), here=gpu.capability)
    return str(library)
