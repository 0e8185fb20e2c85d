# SPDX-License-Identifier: Apache-2.0
"""The engine protocol: a network that takes named arrays and returns named arrays, opened from its manifest.

Implementations do not know what the arrays mean; callers do not know which library computes them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hmr_ros.core.arrays import Array
from hmr_ros.core.config import BACKENDS, BUILD_TIMEOUT_S, CPU_PRECISIONS, PRECISIONS, EngineSettings
from hmr_ros.core.manifest import Manifest

BATCH_SIZES = (1, 2, 4, 8)
"""Rows of a batch of people. GPU engines are made, and warm, for each of these, and pad up to the next."""

MAX_DEFAULT_THREADS = 4
"""Networks of 0.3 to 3 GMAC gain little from more, and a robot has other work for its cores."""


class EngineError(RuntimeError):
    """A network cannot be opened or run; the message names the file and what to do."""


@dataclass(frozen=True)
class EngineOptions:
    """How networks are run; the CPU needs only ``threads``, the rest is about GPUs.

    ``backend`` is one of BACKENDS; "auto" says what it takes and why, and falls back to the CPU. ``threads`` is the
    number of CPU threads of one inference (0: the usable cores, at most MAX_DEFAULT_THREADS). ``device`` counts the
    GPUs that CUDA shows. ``cache`` is the directory of TensorRT engines (None: the user's). Those that are missing are
    built if ``allow_build``, for ``build_timeout_s`` at most each; ``precision`` "fp16" takes a network's fp16 model
    where there is one, "fp32" never does. ``adapt_threads``: where ``threads`` is 0, one thread runs a network on the
    CPU whenever it is faster than the default number. ``background``: on a GPU, work of other networks goes first.
    ``cpu_precision``: whether the CPU runs a network's int8 model where there is one; "auto": where it is faster here.
    """

    backend: str = "auto"
    threads: int = 0
    device: int = 0
    cache: Path | None = None
    precision: str = "fp16"
    allow_build: bool = True
    build_timeout_s: float = BUILD_TIMEOUT_S
    adapt_threads: bool = False
    background: bool = False
    cpu_precision: str = "fp32"

    @staticmethod
    def of(settings: EngineSettings) -> EngineOptions:
        """The options that ``settings`` ask for."""
        return EngineOptions(
            backend=settings.backend,
            threads=settings.num_threads,
            device=settings.device_id,
            cache=Path(settings.engine_cache).expanduser() if settings.engine_cache else None,
            precision=settings.precision,
            cpu_precision=settings.cpu_precision,
            allow_build=settings.allow_engine_build,
            build_timeout_s=settings.engine_build_timeout_s,
        )

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            raise ValueError(f"backend: expected one of {BACKENDS}, got {self.backend!r}")
        if self.threads < 0:
            raise ValueError(f"threads: expected 0 (automatic) or more, got {self.threads}")
        if self.device < 0:
            raise ValueError(f"device: expected 0 or more, got {self.device}")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision: expected one of {PRECISIONS}, got {self.precision!r}")
        if self.cpu_precision not in CPU_PRECISIONS:
            raise ValueError(f"cpu_precision: expected one of {CPU_PRECISIONS}, got {self.cpu_precision!r}")


class Engine(Protocol):
    """A network that is ready to run. Not thread-safe: one caller at a time."""

    @property
    def manifest(self) -> Manifest:
        """What the network expects and returns."""

    @property
    def status(self) -> str:
        """What runs it at this moment, for logs and diagnostics. Thread-safe."""

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Every output by name, for arrays that match the manifest's inputs. Raises EngineError."""

    def close(self) -> None:
        """Free the network; ``run`` must not be called afterwards."""


def require_kind(engine: Engine, kind: str) -> None:
    """Raise ValueError unless the network is of ``kind``."""
    if engine.manifest.kind != kind:
        raise ValueError(f"{engine.manifest.name}: expected a network of kind {kind!r}, got {engine.manifest.kind!r}")


def default_threads() -> int:
    """CPU threads for one inference: the cores this process may use, at most MAX_DEFAULT_THREADS."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, MAX_DEFAULT_THREADS)
