# SPDX-License-Identifier: Apache-2.0
"""Serving from the first second: ONNX Runtime runs a network while TensorRT builds its engine, then TensorRT does."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from hmr_ros.core.arrays import Array
from hmr_ros.core.manifest import Manifest, ManifestError
from hmr_ros.engines.backends import choose
from hmr_ros.engines.onnx.engine import OnnxEngine
from hmr_ros.engines.onnx.thread_choice import AdaptiveEngine
from hmr_ros.engines.opening import (
    LoggedProgress,
    cache_for,
    in_precision,
    open_network,
    open_onnx,
    open_tensorrt,
    request_here,
)
from hmr_ros.engines.runtime import Engine, EngineError, EngineOptions
from hmr_ros.engines.sharing import behind
from hmr_ros.engines.tensorrt.build_request import EDITIONS, Progress
from hmr_ros.engines.tensorrt.cuda import use_device

_PATIENCE_S = 1.0
"""Time that closing waits for the thread. Its child process ends at once; loading an engine cannot be interrupted."""

_log = logging.getLogger(__name__)

Upgrade = Callable[[Progress], Engine]
"""Builds and opens a better engine. Raises EngineError, and what its argument raises."""


class EngineState(StrEnum):
    """Whether the wanted engine runs."""

    READY = "ready"
    BUILDING = "building"
    """Another engine runs meanwhile."""
    FAILED = "failed"
    """It could not be built: another engine runs for good."""


@dataclass(frozen=True)
class Recipe:
    """How an engine is made again: ``stand_in`` opens one that needs no build, ``discard`` forgets what was built."""

    stand_in: Callable[[], Engine]
    discard: Callable[[], object]
    upgrade: Upgrade


def open_serving(manifest_path: Path, options: EngineOptions, *, serve_while_building: bool = True) -> Engine:
    """As ``open_network``, but the CPU runs the network until a missing engine is built, and it can be built again.

    Without ``serve_while_building`` it returns when the engine is built.
    """
    use_device(options.device)
    edition = choose(options.backend).backend
    if edition not in EDITIONS:
        return open_network(manifest_path, options)
    recipe = _recipe(manifest_path, edition, options)
    if serve_while_building and _must_build(manifest_path, edition, options):
        return SwitchingEngine(recipe.stand_in(), recipe.upgrade, recipe)
    engine = open_network(manifest_path, options)  # which raises what is wrong, or takes another backend
    return engine if isinstance(engine, (OnnxEngine, AdaptiveEngine)) else SwitchingEngine(engine, None, recipe)


def rebuild(engines: Iterable[Engine]) -> list[str]:
    """Build all TensorRT engines among ``engines`` again; the networks' names.

    Raises EngineError where that is nothing, and while something is being built.
    """
    engines = [behind(engine) for engine in engines]
    switching = [engine for engine in engines if isinstance(engine, SwitchingEngine)]
    if not switching:
        how = "; ".join(dict.fromkeys(engine.status for engine in engines)) or "no networks"
        raise EngineError(f"only TensorRT engines are built, and none runs here: {how}")
    if under_way := [engine for engine in switching if engine.state is EngineState.BUILDING]:
        raise EngineError(f"{under_way[0].manifest.name} is being built already: {under_way[0].status}")
    for engine in switching:
        engine.rebuild()
    return [engine.manifest.name for engine in switching]


def state_of(engine: Engine) -> EngineState:
    """Whether ``engine`` is the wanted one, or is still built, or could not be."""
    engine = behind(engine)
    return engine.state if isinstance(engine, SwitchingEngine) else EngineState.READY


def _recipe(manifest_path: Path, edition: str, options: EngineOptions) -> Recipe:
    path, cache = in_precision(manifest_path, options.precision), cache_for(options)
    return Recipe(
        stand_in=lambda: open_onnx(manifest_path, options.threads),
        discard=lambda: cache.discard(request_here(path, edition)),
        upgrade=lambda progress: open_tensorrt(path, edition, cache, progress, background=options.background),
    )


def _must_build(manifest_path: Path, edition: str, options: EngineOptions) -> bool:
    """Whether the engine is missing and can be built; False where anything is wrong."""
    try:
        request = request_here(in_precision(manifest_path, options.precision), edition)
        return options.allow_build and cache_for(options).find(request) is None
    except EngineError:
        return False


class _ClosedError(Exception):
    """Ends a build whose engine was closed."""


class SwitchingEngine:
    """Runs one engine until a thread of its own brings a better one. Exchanging them between two runs costs nothing.

    If the better one cannot be built, the current engine stays, and status and log say why. The manifest is that of
    the first: both have the same inputs and outputs.
    """

    def __init__(self, first: Engine, upgrade: Upgrade | None = None, recipe: Recipe | None = None) -> None:
        """Takes ``first`` over: it is closed when it is not needed any more. ``upgrade`` begins at once.

        ``recipe`` is for ``rebuild``.
        """
        self._engine = first
        self._manifest = first.manifest
        self._recipe = recipe
        self._better: Engine | None = None
        self._prospect = ""
        self._state = EngineState.READY
        self._closed = threading.Event()
        self._lock = threading.Lock()  # of _better, _closed and _state together
        self._thread: threading.Thread | None = None
        if upgrade is not None:
            self._begin(upgrade)

    @property
    def manifest(self) -> Manifest:
        """What the network expects and returns."""
        return self._manifest

    @property
    def state(self) -> EngineState:
        """Whether a better engine is being built, or could not be."""
        return self._state

    @property
    def status(self) -> str:
        """What runs it now, and what is under way."""
        return ", ".join(filter(None, (self._engine.status, self._prospect)))

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Every output by name, for arrays that match the manifest's inputs. Raises EngineError."""
        if self._better is not None:
            self._exchange()
        return self._engine.run(inputs)

    def rebuild(self) -> None:
        """Forget what was built and build it again, while a stand-in runs. Thread-safe.

        Raises EngineError when a build is under way.
        """
        if self._recipe is None:
            raise EngineError(f"{self._manifest.name}: it was opened without a recipe to build it")
        self._begin(self._rebuilt)

    def close(self) -> None:
        """Free the network and end a build; ``run`` must not be called afterwards."""
        with self._lock:
            self._closed.set()
        if self._thread is not None:
            self._thread.join(_PATIENCE_S)
        if self._better is not None:
            self._better.close()
        self._engine.close()

    def _begin(self, upgrade: Upgrade) -> None:
        with self._lock:
            if self._state is EngineState.BUILDING:
                raise EngineError(f"{self._manifest.name}: is being built already, {self._prospect}")
            self._state, self._prospect = EngineState.BUILDING, "until a faster engine is built"
        self._thread = threading.Thread(target=self._upgrade, args=(upgrade,), name="hmr_engine_build", daemon=True)
        self._thread.start()

    def _exchange(self) -> None:
        with self._lock:
            old, better, self._better = self._engine, self._better, None
            assert better is not None
            self._engine = better
            if self._state is EngineState.READY:
                self._prospect = ""
        old.close()
        _log.info("%s: now on %s", self._manifest.name, better.status)

    def _upgrade(self, upgrade: Upgrade) -> None:
        try:
            self._offer(upgrade(self._progress()), EngineState.READY)
        except _ClosedError:
            return
        except (EngineError, ManifestError) as err:
            _log.warning("%s: stays on %s: %s", self._manifest.name, self._engine.status, err)
            self._state, self._prospect = EngineState.FAILED, f"for good: {err}"

    def _progress(self) -> Progress:
        """Writes a build's progress to status and log; ends it once this engine is closed."""
        logged = LoggedProgress(self._manifest.name)

        def report(phase: str, fraction: float) -> None:
            if self._closed.is_set():
                raise _ClosedError
            self._prospect = f"until a faster engine is built: {round(100 * fraction)} %, {phase}"
            logged(phase, fraction)

        return report

    def _rebuilt(self, progress: Progress) -> Engine:
        assert self._recipe is not None
        self._offer(self._recipe.stand_in(), EngineState.BUILDING)
        if not self._recipe.discard():
            _log.info("%s: another process builds it; its engine is used", self._manifest.name)
        return self._recipe.upgrade(progress)

    def _offer(self, better: Engine, state: EngineState) -> None:
        """Have the next run take ``better``, unless it comes too late. Raises _ClosedError."""
        with self._lock:
            if is_late := self._closed.is_set():
                unused: Engine | None = better
            else:
                unused, self._better, self._state = self._better, better, state
                if state is EngineState.READY:
                    self._prospect = "until the next image"
        if unused is not None:
            unused.close()
        if is_late:
            raise _ClosedError
