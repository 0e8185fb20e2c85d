# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime: on the CPU, and on GPUs where it was built for them."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence

from hmr_ros.core.arrays import Array
from hmr_ros.core.manifest import Manifest, TensorSpec
from hmr_ros.engines.runtime import EngineError

CPU, CUDA, TENSORRT = "onnxruntime", "onnxruntime:cuda", "onnxruntime:tensorrt"
"""Names of backends."""

_PROVIDERS: dict[str, tuple[str, dict[str, str]]] = {
    CPU: ("CPUExecutionProvider", {}),
    CUDA: ("CUDAExecutionProvider", {"use_tf32": "0"}),  # fp32 is to mean fp32
    TENSORRT: ("TensorrtExecutionProvider", {}),
}
"""Backend -> ONNX Runtime's execution provider, and its options where the defaults will not do."""


class OnnxEngine:
    """A network run by ONNX Runtime, all graph optimisations on."""

    def __init__(self, manifest: Manifest, model: bytes, threads: int, backend: str = CPU) -> None:
        """``model``: the checked content of the manifest's file (onnx.check). Raises EngineError if it cannot run."""
        runtime = _import_onnxruntime(manifest.file)
        options = _session_options(runtime, threads)
        provider, _ = _PROVIDERS[backend]
        _require_provider(provider, runtime.get_available_providers(), "was built without it")
        # What a GPU cannot do is done on the CPU.
        providers = [_PROVIDERS[backend], *([_PROVIDERS[CPU]] if backend != CPU else [])]
        try:
            session = runtime.InferenceSession(model, options, providers=providers)
        except Exception as err:  # onnxruntime's exceptions have no common base below Exception
            raise EngineError(
                f"{manifest.file}: onnxruntime {runtime.__version__} cannot load it ({err}); "
                "upgrade onnxruntime or export the network again"
            ) from err
        _require_provider(provider, session.get_providers(), "cannot load its libraries")
        self._manifest = manifest
        self._session = session
        self._status = f"{backend}, {threads} thread{'s' * (threads > 1)}"
        self._outputs = [tensor.name for tensor in manifest.outputs]

    @property
    def manifest(self) -> Manifest:
        """What the network expects and returns."""
        return self._manifest

    @property
    def status(self) -> str:
        """What runs it: the backend, and the CPU threads of an inference."""
        return self._status

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Every output by name, for arrays that match the manifest's inputs. Raises EngineError."""
        try:
            values = self._session.run(self._outputs, dict(inputs))
        except Exception as err:  # as above
            given = ", ".join(f"{name} {array.dtype} {array.shape}" for name, array in inputs.items())
            wanted = ", ".join(map(_describe, self._manifest.inputs))
            raise EngineError(f"{self._manifest.file}: expected {wanted}; got {given}; {err}") from err
        return dict(zip(self._outputs, values, strict=True))

    def close(self) -> None:
        """Free the network; ``run`` must not be called afterwards."""
        del self._session


def has_provider(backend: str) -> bool:
    """Whether the installed ONNX Runtime was built for ``backend``, one of the names above."""
    try:
        import onnxruntime
    except ImportError:
        return False
    return _PROVIDERS[backend][0] in onnxruntime.get_available_providers()


def _require_provider(wanted: str, present: Sequence[str], problem: str) -> None:
    """Raise EngineError unless the provider is there: ONNX Runtime itself would silently use the CPU."""
    if wanted not in present:
        raise EngineError(
            f"onnxruntime has no {wanted} here ({problem}), only {', '.join(present)}: pip install onnxruntime-gpu for "
            "the CUDA version of the driver, or use backend onnxruntime"
        )


def _import_onnxruntime(user: str) -> types.ModuleType:
    try:
        import onnxruntime
    except ImportError as err:
        raise EngineError(f"{user} needs onnxruntime; install it with: pip install onnxruntime") from err
    module: types.ModuleType = onnxruntime
    return module


def _session_options(runtime: types.ModuleType, threads: int) -> object:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3  # errors only, and those reach the caller as exceptions
    # Each session has a thread pool that spins after its last inference and starves the next session's pool:
    # detector and landmarks alternating take twice as long without this.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return options


def _describe(spec: TensorSpec) -> str:
    return f"{spec.name} {spec.dtype} {spec.shape}"
