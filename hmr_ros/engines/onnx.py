"""ONNX Runtime on the CPU."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from hmr_ros.core.manifest import Manifest, TensorSpec
from hmr_ros.engines.runtime import Array, EngineError

_ELEMENT = {"float32": "float"}
"""ONNX Runtime's name of a dtype, where it is not the dtype's own."""

_EXTERNAL_DATA = b"\x0a\x08location\x12"
"""How onnx.proto (TensorProto.external_data) writes that a tensor lives in another file: an entry of key "location"."""


class OnnxEngine:
    """A network run by ONNX Runtime (CPUExecutionProvider), all graph optimisations on.

    Weights are not searched for NaN: the manifest's sha256 already says that they are the exported ones.
    """

    def __init__(self, manifest: Manifest, model_path: Path, threads: int) -> None:
        """Open ``model_path``. Raises EngineError if it cannot be loaded here or differs from ``manifest``."""
        runtime = _import_onnxruntime(model_path)
        _refuse_external_data(model_path)
        options = _session_options(runtime, threads)
        try:
            session = runtime.InferenceSession(str(model_path), options, providers=["CPUExecutionProvider"])
        except Exception as err:  # onnxruntime's exceptions have no common base below Exception
            raise EngineError(
                f"{model_path}: onnxruntime {runtime.__version__} cannot load it ({err}); "
                "upgrade onnxruntime or export the network again"
            ) from err
        _compare(model_path, manifest.inputs, session.get_inputs())
        _compare(model_path, manifest.outputs, session.get_outputs())
        self._manifest = manifest
        self._path = model_path
        self._session = session
        self._outputs = [tensor.name for tensor in manifest.outputs]

    @property
    def manifest(self) -> Manifest:
        """What the network expects and returns."""
        return self._manifest

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Every output by name, for arrays that match the manifest's inputs. Raises EngineError."""
        try:
            values = self._session.run(self._outputs, dict(inputs))
        except Exception as err:  # as above
            given = ", ".join(f"{name} {array.dtype} {array.shape}" for name, array in inputs.items())
            wanted = ", ".join(map(_describe, self._manifest.inputs))
            raise EngineError(f"{self._path}: expected {wanted}; got {given}; {err}") from err
        return dict(zip(self._outputs, values, strict=True))

    def close(self) -> None:
        """Free the network; ``run`` must not be called afterwards."""
        del self._session


def _import_onnxruntime(model_path: Path) -> types.ModuleType:
    try:
        import onnxruntime
    except ImportError as err:
        raise EngineError(f"{model_path} needs onnxruntime; install it with: pip install onnxruntime") from err
    module: types.ModuleType = onnxruntime
    return module


def _session_options(runtime: types.ModuleType, threads: int) -> object:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3  # errors only, and those reach the caller as exceptions
    # Each session has a thread pool that spins after its last inference and starves the next session's pool:
    # detector and landmarks in turn take twice as long without this.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return options


def _refuse_external_data(path: Path) -> None:
    """Weights in a second file would escape the manifest's sha256."""
    if _EXTERNAL_DATA in path.read_bytes():
        raise EngineError(f"{path}: keeps weights in another file; export it again with all weights inside")


class _NodeArg(Protocol):
    """What ONNX Runtime tells about one input or output; names or None in ``shape`` are sizes that vary."""

    name: str
    type: str
    shape: list[int | str | None]


def _compare(path: Path, expected: Sequence[TensorSpec], actual: Sequence[_NodeArg]) -> None:
    """Raise EngineError unless the network's tensors are those of the manifest, in any order."""
    found = {tensor.name: tensor for tensor in actual}
    same_names = found.keys() == {tensor.name for tensor in expected}
    if not (same_names and all(_fits(tensor, found[tensor.name]) for tensor in expected)):
        raise EngineError(
            f"{path}: the manifest says {', '.join(map(_describe, expected))}; the network has "
            f"{', '.join(f'{t.name} {t.type} {t.shape}' for t in actual)}; export or install both files again"
        )


def _fits(spec: TensorSpec, tensor: _NodeArg) -> bool:
    """A size that the network fixes must be the manifest's; one that it leaves open fits any."""
    return (
        tensor.type == f"tensor({_ELEMENT.get(spec.dtype, spec.dtype)})"
        and len(tensor.shape) == len(spec.shape)
        and all(not isinstance(b, int) or a == b for a, b in zip(spec.shape, tensor.shape, strict=True))
    )


def _describe(spec: TensorSpec) -> str:
    return f"{spec.name} {spec.dtype} {spec.shape}"
