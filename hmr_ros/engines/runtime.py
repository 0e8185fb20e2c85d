"""The engine protocol: a network that takes named arrays and returns named arrays, opened from its manifest.

Nothing behind this line knows what the numbers mean; nothing before it knows which library multiplies them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from hmr_ros.core.manifest import Manifest

Array = NDArray[Any]
"""An array of whatever dtype the manifest names for the tensor."""

BACKENDS = ("auto", "tensorrt", "tensorrt_rtx", "onnxruntime", "onnxruntime:cuda", "onnxruntime:tensorrt")
"""What may run the networks: "auto" is the fastest that works here; after the colon, ONNX Runtime's provider."""

BATCH_SIZES = (1, 2, 4, 8)
"""Rows of a batch of people. GPU engines are made, and warm, for each of these, and pad up to the next."""

MAX_DEFAULT_THREADS = 4
"""Networks of 0.3 to 3 GMAC gain little from more, and a robot has other work for its cores."""


class EngineError(RuntimeError):
    """A network cannot be opened or run; the message names the file and what to do."""


class Engine(Protocol):
    """A network that is ready to run. Not thread-safe: one caller at a time."""

    @property
    def manifest(self) -> Manifest:
        """What the network expects and returns."""

    @property
    def status(self) -> str:
        """What runs it at this moment, for logs and diagnostics; may be asked for by any thread."""

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Every output by name, for arrays that match the manifest's inputs. Raises EngineError."""

    def close(self) -> None:
        """Free the network; ``run`` must not be called afterwards."""


def open_engine(manifest_path: Path, backend: str = "auto", threads: int = 0, cache: Path | None = None) -> Engine:
    """Open the network beside ``manifest_path`` after checking that it is the one the manifest describes.

    ``backend`` is one of BACKENDS; "auto" says what it takes and why, and falls back to the CPU. ``threads`` is the
    number of CPU threads of one inference (0: the usable cores, at most MAX_DEFAULT_THREADS), ``cache`` the folder of
    TensorRT engines (None: the user's). The first time, TensorRT builds the engine, which takes seconds to minutes.
    Raises ManifestError for a manifest or file that is damaged, EngineError for one that cannot run here.
    """
    if backend not in BACKENDS:
        raise ValueError(f"backend: expected one of {BACKENDS}, got {backend!r}")
    if threads < 0:
        raise ValueError(f"threads: expected 0 (automatic) or more, got {threads}")
    from hmr_ros.engines.opening import open_network  # which imports this module

    return open_network(manifest_path, backend, threads or default_threads(), cache)


def default_threads() -> int:
    """CPU threads for one inference: the cores this process may use, at most MAX_DEFAULT_THREADS."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, MAX_DEFAULT_THREADS)
