# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime: on the CPU, and on GPUs where it was built for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hmr_ros.core.arrays import Array
from hmr_ros.core.manifest import Manifest, TensorSpec
from hmr_ros.engines.onnx.c_library import load_library
from hmr_ros.engines.onnx.c_session import CRuntime
from hmr_ros.engines.onnx.python_session import PythonRuntime
from hmr_ros.engines.onnx.session import CPU, PROVIDERS, Runtime
from hmr_ros.engines.runtime import EngineError


class OnnxEngine:
    """A network run by ONNX Runtime, all graph optimisations on."""

    def __init__(self, manifest: Manifest, model: bytes, threads: int, backend: str = CPU) -> None:
        """``model``: the checked content of the manifest's file (onnx.check). Raises EngineError if it cannot run."""
        runtime = _runtime_for(manifest.file)
        provider, _ = PROVIDERS[backend]
        _require_provider(provider, runtime.providers(), "was built without it")
        try:
            session = runtime.open(model, threads, backend)
        except Exception as err:  # onnxruntime's exceptions have no common base below Exception
            raise EngineError(
                f"{manifest.file}: onnxruntime {runtime.version} cannot load it ({err}); "
                "upgrade onnxruntime or export the network again"
            ) from err
        _require_provider(provider, session.providers(), "cannot load its libraries")
        self._manifest = manifest
        self._session = session
        facts = (backend, f"{threads} thread{'s' * (threads > 1)}", manifest.provenance.get("precision"))
        self._status = ", ".join(filter(None, facts))
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
            values = self._session.run(self._outputs, inputs)
        except Exception as err:  # as above
            given = ", ".join(f"{name} {array.dtype} {array.shape}" for name, array in inputs.items())
            wanted = ", ".join(map(_describe, self._manifest.inputs))
            raise EngineError(f"{self._manifest.file}: expected {wanted}; got {given}; {err}") from err
        return dict(zip(self._outputs, values, strict=True))

    def close(self) -> None:
        """Free the network; ``run`` must not be called afterwards."""
        self._session.close()


def has_provider(backend: str) -> bool:
    """Whether the installed ONNX Runtime was built for ``backend``, one of the names in session."""
    try:
        return PROVIDERS[backend][0] in find_runtime().providers()
    except EngineError:
        return False


def find_runtime() -> Runtime:
    """The Python package, or the C library where there is none. Raises EngineError where there is neither."""
    try:
        import onnxruntime
    except ImportError:
        return CRuntime(load_library())
    return PythonRuntime(onnxruntime)


def _runtime_for(user: str) -> Runtime:
    try:
        return find_runtime()
    except EngineError as err:
        raise EngineError(
            f"{user} needs onnxruntime; install it with: pip install onnxruntime, "
            f"or apt install ros-$ROS_DISTRO-onnxruntime-vendor ({err})"
        ) from err


def _require_provider(wanted: str, present: Sequence[str], problem: str) -> None:
    """Raise EngineError unless the provider is there: ONNX Runtime itself would silently use the CPU."""
    if wanted not in present:
        raise EngineError(
            f"onnxruntime has no {wanted} here ({problem}), only {', '.join(present)}: pip install onnxruntime-gpu for "
            "the CUDA version of the driver, or use backend onnxruntime"
        )


def _describe(spec: TensorSpec) -> str:
    return f"{spec.name} {spec.dtype} {spec.shape}"
