# SPDX-License-Identifier: Apache-2.0
"""Opening a network with the backend that is asked for, or with the fastest that works, and saying which and why."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from hmr_ros.core.config import BUILD_TIMEOUT_S
from hmr_ros.core.manifest import ManifestError, load_manifest
from hmr_ros.engines.backends import Choice, choose
from hmr_ros.engines.cpu_precision import cpu_model
from hmr_ros.engines.onnx.check import read_checked
from hmr_ros.engines.onnx.engine import OnnxEngine
from hmr_ros.engines.onnx.session import CPU
from hmr_ros.engines.onnx.thread_choice import AdaptiveEngine
from hmr_ros.engines.runtime import Engine, EngineError, EngineOptions, default_threads
from hmr_ros.engines.tensorrt.api import load_tensorrt
from hmr_ros.engines.tensorrt.build import build_engine, probe_engine
from hmr_ros.engines.tensorrt.build_request import (
    EDITIONS,
    BuildRequest,
    EngineTarget,
    Progress,
    precision_of,
    request_for,
)
from hmr_ros.engines.tensorrt.cuda import CudaStream, find_gpu, use_device
from hmr_ros.engines.tensorrt.engine import LoadedEngine, TensorRtEngine
from hmr_ros.engines.variants import fp16_of

if TYPE_CHECKING:
    from hmr_ros.engines.cache.cache import EngineCache

_log = logging.getLogger(__name__)


def open_network(manifest_path: Path, options: EngineOptions) -> Engine:
    """Open the network beside ``manifest_path`` after checking it; as ``open_engine``, with all options."""
    use_device(options.device)
    choice = choose(options.backend)
    try:
        return _open(manifest_path, choice, options)
    except EngineError as err:
        if options.backend != "auto" or choice.backend == CPU:
            raise
        _log.warning("%s: %s does not run it, the CPU does: %s", manifest_path.stem, choice.backend, err)
    return _open(manifest_path, Choice(CPU, f"{choice.backend} failed"), options)


def open_engine(manifest_path: Path, backend: str = "auto", threads: int = 0, cache: Path | None = None) -> Engine:
    """Open the network beside ``manifest_path`` after checking that it is the one the manifest describes.

    See EngineOptions, which has more, for ``open_network``. The first time, TensorRT builds the engine, which takes
    seconds to minutes. Raises ManifestError for a manifest or file that is damaged, EngineError for one that cannot run
    here.
    """
    return open_network(manifest_path, EngineOptions(backend, threads, cache=cache))


def open_onnx(manifest_path: Path, threads: int = 0, backend: str = CPU) -> OnnxEngine:
    """The network run by ONNX Runtime; 0 ``threads``: the default number. Raises ManifestError or EngineError."""
    manifest, model = read_checked(manifest_path)
    return OnnxEngine(manifest, model, threads or default_threads(), backend)


def open_tensorrt(
    manifest_path: Path, edition: str, cache: EngineCache, progress: Progress, *, background: bool = False
) -> TensorRtEngine:
    """The network run by TensorRT, built if it is not in ``cache``; ``background`` as in EngineOptions.

    Raises ManifestError or EngineError, and whatever ``progress`` raises.
    """
    manifest, _ = read_checked(manifest_path)
    request = request_here(manifest_path, edition)
    data, kernels = cache.obtain(request, progress), cache.kernels(request)
    library, stream = load_tensorrt(edition), CudaStream(background=background)
    loaded = LoadedEngine(library, data, host_code=request.version_compatible, kernels=kernels, stream=stream)
    engine = TensorRtEngine(manifest, loaded)
    if (compiled := loaded.kernels()) != kernels:
        try:
            cache.store_kernels(request, compiled)
        except EngineError as err:  # a cache that is only read: they are compiled again at the next start
            _log.info("%s: compiled kernels are not kept: %s", manifest.name, err)
    return engine


def request_here(manifest_path: Path, edition: str) -> BuildRequest:
    """The engine of exactly this network for the GPU of this machine. Raises EngineError if there is none."""
    library, gpu, manifest = load_tensorrt(edition), find_gpu(), load_manifest(manifest_path)
    library.require_target((gpu.capability,), here=gpu.capability)
    target = EngineTarget(edition, library.version, gpu.name, gpu.capability, gpu.driver, precision_of(manifest))
    return request_for(manifest_path, manifest, target)


def in_precision(manifest_path: Path, precision: str) -> Path:
    """The manifest of the network, or of its fp16 model where ``precision`` is "fp16" and there is one."""
    return (fp16_of(manifest_path) if precision == "fp16" else None) or manifest_path


def engine_cache(
    directory: Path | None, timeout_s: float = BUILD_TIMEOUT_S, *, allow_build: bool = True
) -> EngineCache:
    """The cache in ``directory`` (None: the user's) with the real builder."""
    from hmr_ros.engines.cache.cache import Builder, EngineCache, default_directory  # not needed on a CPU

    return EngineCache(directory or default_directory(), Builder(build_engine, probe_engine, timeout_s, allow_build))


def cache_for(options: EngineOptions) -> EngineCache:
    """The cache that ``options`` name, which builds as they allow."""
    return engine_cache(options.cache, options.build_timeout_s, allow_build=options.allow_build)


def _open(manifest_path: Path, choice: Choice, options: EngineOptions) -> Engine:
    engine: Engine
    if choice.backend in EDITIONS:
        path, progress = in_precision(manifest_path, options.precision), LoggedProgress(manifest_path.stem)
        cache = cache_for(options)
        engine = open_tensorrt(path, choice.backend, cache, progress, background=options.background)
    else:
        engine = _open_onnx(manifest_path, choice.backend, options)
    _log.info("%s: %s (%s)", engine.manifest.name, engine.status, choice.reason)
    return engine


def _open_onnx(manifest_path: Path, backend: str, options: EngineOptions) -> Engine:
    threads = options.threads or default_threads()
    path = _cpu_model(manifest_path, threads, options) if backend == CPU else manifest_path
    try:
        return _with_threads(path, backend, threads, options)
    except (EngineError, ManifestError) as err:
        if path == manifest_path:
            raise
        _log.warning("%s: runs in fp32: %s", manifest_path.stem, err)
    return _with_threads(manifest_path, backend, threads, options)


def _cpu_model(manifest_path: Path, threads: int, options: EngineOptions) -> Path:
    from hmr_ros.engines.cache.cache import default_directory
    from hmr_ros.engines.cache.trials import TrialStore

    store = TrialStore(options.cache or default_directory())
    return cpu_model(manifest_path, options.cpu_precision, threads, store, lambda path: open_onnx(path, threads))


def _with_threads(manifest_path: Path, backend: str, threads: int, options: EngineOptions) -> Engine:
    if options.adapt_threads and not options.threads and backend == CPU and threads > 1:
        return AdaptiveEngine(lambda count: open_onnx(manifest_path, count), threads)
    return open_onnx(manifest_path, threads, backend)


class LoggedProgress:
    """Writes a build's progress to the log, every tenth of it once."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tenth = -1

    def __call__(self, phase: str, fraction: float) -> None:
        """A Progress."""
        if int(10 * fraction) > self._tenth:
            self._tenth = int(10 * fraction)
            _log.info("%s: building for this GPU, once: %d %%, %s", self._name, round(100 * fraction), phase)
