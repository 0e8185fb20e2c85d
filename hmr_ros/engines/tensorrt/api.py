# SPDX-License-Identifier: Apache-2.0
"""One interface for TensorRT 10.3 to 11.4 and TensorRT for RTX: all that differs between them is in this file.

Written against the Python bindings of 10.3.0 (JetPack 6.1), 10.13.3, 11.4.0 and RTX 1.7.1. What they have in common is
in ``types`` and is called directly.
"""

from __future__ import annotations

import functools
import importlib
import logging
import types
from collections import deque
from collections.abc import Mapping
from typing import Protocol, cast

from hmr_ros.engines.runtime import EngineError
from hmr_ros.engines.tensorrt.build_request import BuildRequest
from hmr_ros.engines.tensorrt.types import (
    Builder,
    BuilderConfig,
    CudaEngine,
    ExecutionContext,
    Network,
    OnnxParser,
    Runtime,
    RuntimeCache,
)

INSTALL = {
    "tensorrt": "it comes with JetPack; on a desktop: pip install tensorrt",
    "tensorrt_rtx": "pip install tensorrt-rtx",
}

NOT_RTX = {"sm_72": "Jetson Xavier", "sm_87": "Jetson Orin", "sm_90": "H100, H200", "sm_100": "B200", "sm_110": "Thor"}
"""GPUs that TensorRT for RTX does not know, so that its error can say what does."""

_DTYPES = {"FLOAT": "float32", "HALF": "float16", "INT32": "int32", "INT64": "int64", "UINT8": "uint8", "BOOL": "bool"}
"""DataType -> NumPy's name."""

_log = logging.getLogger(__name__)


class ProgressListener(Protocol):
    """What a builder reports to, see IProgressMonitor; several threads may."""

    def phase_start(self, phase: str, parent: str | None, steps: int) -> None:
        """A phase of ``steps`` steps begins, as a part of a step of ``parent``."""

    def step_complete(self, phase: str, step: int) -> bool:
        """False stops the build."""

    def phase_finish(self, phase: str) -> None:
        """A phase ends, not always after all of its steps."""


class TensorRt:
    """One of the two libraries. ``module`` is ``tensorrt`` or ``tensorrt_rtx``, or stands for it in a test."""

    def __init__(self, module: types.ModuleType, edition: str) -> None:
        self.module = module
        self.edition = edition
        self._errors: deque[str] = deque(maxlen=3)

    def __str__(self) -> str:
        return f"{self.edition} {self.version}"

    @property
    def version(self) -> str:
        """As in "10.3.0"."""
        return str(self.module.__version__)

    @functools.cached_property
    def logger(self) -> object:
        """Writes to Python's log. TensorRT uses the first that it is given, for all builders and runtimes."""
        kinds = self.module.ILogger
        levels = {kinds.VERBOSE: logging.DEBUG, kinds.INFO: logging.DEBUG, kinds.WARNING: logging.INFO}

        def log(logger: object, severity: object, message: str) -> None:
            level = levels.get(severity, logging.ERROR)
            if level == logging.ERROR:
                self._errors.append(message.strip())
            _log.log(min(level, logging.INFO), "%s: %s", self, message)

        return _derived(kinds, {"log": log})

    @property
    def reason(self) -> str:
        """TensorRT's latest errors, for the message of ours that follows from them."""
        return "; ".join(self._errors) or "it does not say why"

    def require_target(self, capabilities: tuple[str, ...], here: str | None) -> None:
        """Raise EngineError unless engines for ``capabilities`` can be built on the GPU ``here`` (None: there is none).

        Only RTX builds for GPUs that are not there, and for several at once.
        """
        if self.edition == "tensorrt_rtx":
            for capability in capabilities:
                self._rtx_capability(capability)
        elif capabilities != (here,):
            raise EngineError(
                f"{self} builds for the GPU that it runs on, which is {here or 'absent'}; got "
                f"{' and '.join(capabilities)}. Build on the robot, or for a desktop GPU with tensorrt_rtx"
            )

    def builder(self) -> Builder:
        """A builder."""
        return cast(Builder, self.module.Builder(self.logger))

    def create_network(self, builder: Builder) -> Network:
        """An empty network that keeps the types of the ONNX. From 11 on there is no other kind; the flag is idle."""
        return builder.create_network(1 << int(self.module.NetworkDefinitionCreationFlag.STRONGLY_TYPED))

    def parser(self, network: Network) -> OnnxParser:
        """A parser that fills ``network``."""
        return cast(OnnxParser, self.module.OnnxParser(network, self.logger))

    def create_config(self, builder: Builder, request: BuildRequest) -> BuilderConfig:
        """The configuration for ``request``, without optimisation profile."""
        config = builder.create_builder_config()
        config.set_memory_pool_limit(self.module.MemoryPoolType.WORKSPACE, request.workspace_bytes)
        config.clear_flag(self.module.BuilderFlag.TF32)  # fp32 is to mean fp32: for speed there is fp16
        if request.version_compatible:
            config.set_flag(self.module.BuilderFlag.VERSION_COMPATIBLE)
        if self.edition == "tensorrt_rtx":
            self._set_capabilities(config, request)
        elif request.hardware_compatible:
            config.hardware_compatibility_level = self.module.HardwareCompatibilityLevel.AMPERE_PLUS
        return config

    def progress_monitor(self, listener: ProgressListener) -> object:
        """``listener`` in the form that a builder takes: an object of a class derived from its own."""
        members = {
            "phase_start": lambda self, phase, parent, steps: listener.phase_start(phase, parent, steps),
            "step_complete": lambda self, phase, step: listener.step_complete(phase, step),
            "phase_finish": lambda self, phase: listener.phase_finish(phase),
        }
        return _derived(self.module.IProgressMonitor, members)

    def deserialize(self, data: bytes, *, host_code: bool) -> CudaEngine:
        """The engine in ``data``, which must be of our own making: engines are executables.

        ``host_code``: also run the CPU code that version-compatible engines carry. Raises EngineError.
        """
        runtime = cast(Runtime, self.module.Runtime(self.logger))
        runtime.engine_host_code_allowed = host_code
        if hasattr(runtime, "get_engine_validity"):  # RTX
            validity, reasons = runtime.get_engine_validity(data)
            if validity == self.module.EngineValidity.INVALID:
                raise EngineError(f"{self}: the engine does not fit this machine ({reasons}); build it again")
        engine = runtime.deserialize_cuda_engine(data)
        if engine is None:
            raise EngineError(f"{self} cannot load the engine: {self.reason}; build it again")
        return engine

    def is_input(self, engine: CudaEngine, name: str) -> bool:
        """Whether the tensor ``name`` is an input."""
        return bool(engine.get_tensor_mode(name) == self.module.TensorIOMode.INPUT)

    def dtype(self, engine: CudaEngine, name: str) -> str:
        """NumPy's name of the type of the tensor ``name``."""
        found = engine.get_tensor_dtype(name)
        return next((dtype for key, dtype in _DTYPES.items() if found == getattr(self.module.DataType, key)), "unknown")

    def _set_capabilities(self, config: BuilderConfig, request: BuildRequest) -> None:
        if request.hardware_compatible:
            raise EngineError(f"{self}: name the GPUs (sm_86+sm_89) instead of asking for hardware compatibility")
        capabilities = request.target.compute_capabilities
        config.num_compute_capabilities = len(capabilities)
        for index, capability in enumerate(capabilities):
            config.set_compute_capability(self._rtx_capability(capability), index)

    def _rtx_capability(self, capability: str) -> object:
        known = self.module.ComputeCapability
        found = getattr(known, capability.replace("_", "").upper(), None)
        if found is None:
            raise EngineError(
                f"{self} does not run on {capability} ({NOT_RTX.get(capability, 'unknown')}): that needs the full "
                f"TensorRT (backend tensorrt). It runs on {', '.join(_rtx_names(known))}"
            )
        return cast(object, found)


class Contexts:
    """Makes the contexts in which one engine runs. They share the caller's scratch memory: one runs at a time.

    RTX compiles kernels for the GPU when they are first needed; ``kernels`` are those of an earlier start. EAGER: those
    for a new shape come before its first inference rather than in the background, as a captured graph would keep the
    slow ones that are used meanwhile. The full TensorRT has compiled everything in the build.
    """

    def __init__(self, library: TensorRt, engine: CudaEngine, kernels: bytes) -> None:
        self._engine = engine
        self._library = library
        self._cache: RuntimeCache | None = None
        module = library.module
        self._how: object = module.ExecutionContextAllocationStrategy.USER_MANAGED
        if not hasattr(module, "IRuntimeCache"):
            return
        config = engine.create_runtime_config()
        config.set_execution_context_allocation_strategy(self._how)
        config.dynamic_shapes_kernel_specialization_strategy = module.DynamicShapesKernelSpecializationStrategy.EAGER
        self._cache = config.create_runtime_cache()
        if kernels and not self._cache.deserialize(kernels):
            _log.info("%s: the stored kernels are of another GPU or driver; they are compiled again", library)
        config.set_runtime_cache(self._cache)
        self._how = config

    def create(self, memory: int) -> ExecutionContext:
        """A context that uses the engine's ``device_memory_size_v2`` bytes at ``memory`` on the GPU."""
        context = self._engine.create_execution_context(self._how)
        if context is None:
            raise EngineError(f"{self._library} cannot prepare the engine: {self._library.reason}")
        context.set_device_memory(memory, self._engine.device_memory_size_v2)
        return context

    @staticmethod
    def can_be_captured(context: ExecutionContext, stream: int) -> bool:
        """Whether ``context`` may be recorded as a CUDA graph. Only RTX reports it; the others fail at recording."""
        return not hasattr(context, "is_stream_capturable") or context.is_stream_capturable(stream)

    def kernels(self) -> bytes:
        """What was compiled so far, for the next start; empty where nothing is."""
        return b"" if self._cache is None else bytes(self._cache.serialize())


@functools.cache
def load_tensorrt(edition: str) -> TensorRt:
    """The installed library of ``edition``. Raises EngineError that says how to install it."""
    try:
        module = importlib.import_module(edition)
    except (ImportError, OSError) as err:  # OSError: a library that the bindings need
        raise EngineError(f"no Python module {edition} ({err}): {INSTALL[edition]}") from err
    return TensorRt(module, edition)


def _rtx_names(known: object) -> list[str]:
    """ComputeCapability's GPUs as we write them, oldest first."""
    numbers = (name.removeprefix("SM") for name in dir(known) if name.startswith("SM"))
    return [f"sm_{number}" for number in sorted(numbers, key=int)]


def _derived(base: type, members: Mapping[str, object]) -> object:
    """An object of a class derived from TensorRT's ``base``, which exists only once TensorRT is imported."""
    return cast(object, type(base.__name__, (base,), dict(members))())
