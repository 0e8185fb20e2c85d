"""Serving from the first second: ONNX Runtime answers while TensorRT builds, then TensorRT does."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from hmr_ros.core.manifest import Manifest
from hmr_ros.engines.backends import choose
from hmr_ros.engines.build_request import FLAVOURS, Progress
from hmr_ros.engines.opening import LoggedProgress, engine_cache, half_of, open_onnx, open_tensorrt, request_here
from hmr_ros.engines.runtime import Array, Engine, EngineError, default_threads, open_engine

_PATIENCE_S = 1.0
"""How long closing waits for the thread. Its child process ends at once; loading an engine cannot be interrupted."""

_log = logging.getLogger(__name__)


def open_serving(manifest_path: Path, backend: str = "auto", threads: int = 0, cache: Path | None = None) -> Engine:
    """As ``open_engine``, but it never waits for a build: the CPU answers meanwhile."""
    flavour, engines = choose(backend).backend, engine_cache(cache)
    try:
        if flavour not in FLAVOURS or engines.find(request_here(half_of(manifest_path) or manifest_path, flavour)):
            return open_engine(manifest_path, backend, threads, cache)
    except EngineError:
        return open_engine(manifest_path, backend, threads, cache)  # which tells, or takes another backend
    first = open_onnx(manifest_path, threads or default_threads())
    return SwitchingEngine(first, lambda progress: open_tensorrt(manifest_path, flavour, engines, progress))


class _ClosedError(Exception):
    """Ends a build that nobody waits for any more."""


class SwitchingEngine:
    """Runs ``first`` until ``upgrade``, called once in a thread of its own, has brought a better engine.

    The exchange takes place between two runs and costs them nothing. If ``upgrade`` fails, ``first`` stays, and status
    and log say why. The manifest is that of ``first``: both take and give the same.
    """

    def __init__(self, first: Engine, upgrade: Callable[[Progress], Engine]) -> None:
        """Takes ``first`` over: it is closed when it is not needed any more."""
        self._engine = first
        self._manifest = first.manifest
        self._better: Engine | None = None
        self._prospect = "the build of a faster engine"
        self._closed = threading.Event()
        self._lock = threading.Lock()  # of _better and _closed together
        self._logged = LoggedProgress(first.manifest.name)
        self._thread = threading.Thread(target=self._upgrade, args=(upgrade,), name="hmr_engine_build", daemon=True)
        self._thread.start()

    @property
    def manifest(self) -> Manifest:
        """What the network expects and returns."""
        return self._manifest

    @property
    def status(self) -> str:
        """What runs it now, and what is under way."""
        return ", ".join(filter(None, (self._engine.status, self._prospect)))

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Every output by name, for arrays that match the manifest's inputs. Raises EngineError."""
        if self._better is not None:
            self._exchange()
        return self._engine.run(inputs)

    def close(self) -> None:
        """Free the network and end a build; ``run`` must not be called afterwards."""
        with self._lock:
            self._closed.set()
        self._thread.join(_PATIENCE_S)
        if self._better is not None:
            self._better.close()
        self._engine.close()

    def _exchange(self) -> None:
        with self._lock:
            old, better, self._better = self._engine, self._better, None
            assert better is not None
            self._engine, self._prospect = better, ""
        old.close()
        _log.info("%s: now on %s", self._manifest.name, better.status)

    def _upgrade(self, upgrade: Callable[[Progress], Engine]) -> None:
        try:
            better = upgrade(self._progress)
        except _ClosedError:
            return
        except EngineError as err:
            _log.warning("%s: stays on %s: %s", self._manifest.name, self._engine.status, err)
            self._prospect = f"for good: {err}"
            return
        with self._lock:
            if not self._closed.is_set():
                self._better = better
                return
        better.close()

    def _progress(self, phase: str, fraction: float) -> None:
        if self._closed.is_set():
            raise _ClosedError
        self._prospect = f"until a faster engine is built: {round(100 * fraction)} %, {phase}"
        self._logged(phase, fraction)
