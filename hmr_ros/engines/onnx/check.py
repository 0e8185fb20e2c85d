# SPDX-License-Identifier: Apache-2.0
"""Checks of an ONNX file before any library parses it: nothing but the network of its manifest passes.

A network is input to large C++ parsers. So a few rules are checked first, by a short reader in Python:

- the bytes have the manifest's sha256, and these very bytes are handed on, not the path;
- no weights in other files, so that a network cannot read the disk;
- standard operators only: no custom libraries, no ``com.microsoft`` (its EPContext holds a ready-made engine), no local
  functions;
- inputs and outputs as the manifest says, an opset that every runtime knows, weights whole and finite.

Field numbers are those of onnx.proto (ONNX 1.17, IR version 11).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hmr_ros.core.manifest import Manifest, TensorSpec, load_manifest, verify
from hmr_ros.engines.onnx.protobuf import ProtobufError, Value, content, fields, integer, text
from hmr_ros.engines.onnx.weights import ELEMENT_TYPES, check_tensor
from hmr_ros.engines.runtime import EngineError

OPSETS = range(13, 21)
"""What TensorRT 10.3 (JetPack 6) and ONNX Runtime 1.17 know as well as all later ones."""

MAX_BYTES = 1 << 30
_DEEPEST = 8
"""Graphs within graphs (If, Loop). Ours have none."""

_STANDARD_DOMAINS = ("", "ai.onnx")


@dataclass(frozen=True)
class TensorInfo:
    """An input or output as the file declares it: sizes, or None for those left open; None: no shape at all."""

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None

    def fits(self, spec: TensorSpec) -> bool:
        """A size that the network fixes must be the manifest's; one that it leaves open fits any."""
        if (self.name, self.dtype) != (spec.name, spec.dtype):
            return False
        if self.shape is None:
            return True
        pairs = zip(self.shape, spec.shape, strict=False)
        return len(self.shape) == len(spec.shape) and all(own is None or own == size for own, size in pairs)


@dataclass(frozen=True)
class Summary:
    """Opset, inputs and outputs of a network that keeps every rule which needs no manifest."""

    opset: int
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]


def read_checked(manifest_path: Path) -> tuple[Manifest, bytes]:
    """The manifest, and the network beside it as the very bytes that were checked.

    Raises ManifestError when either is damaged or they do not belong together, EngineError for a network that breaks a
    rule of this module.
    """
    manifest = load_manifest(manifest_path)
    path = manifest.model_path(manifest_path)
    if path.is_file() and path.stat().st_size > MAX_BYTES:
        raise EngineError(f"{path}: expected at most {MAX_BYTES} bytes, got {path.stat().st_size}")
    model = verify(manifest, manifest_path)
    check(model, manifest, path)
    return manifest, model


def check(model: bytes, manifest: Manifest, path: Path) -> None:
    """Raise EngineError, naming ``path``, unless ``model`` keeps every rule and is what ``manifest`` describes."""
    try:
        summary = summarise(model)
    except ProtobufError as err:
        raise EngineError(f"{path}: {err}; export or install the network again") from err
    _compare(path, manifest.inputs, summary.inputs)
    _compare(path, manifest.outputs, summary.outputs)


def summarise(model: bytes) -> Summary:
    """Walk through all of ``model`` (ModelProto). Raises ProtobufError for damage and for broken rules."""
    graphs, opsets = [], []
    for number, value in fields(memoryview(model)):
        if number == 7:
            graphs.append(content(value))
        elif number == 8:
            opsets.append(_opset(content(value)))
        elif number in (20, 25):
            raise ProtobufError("holds functions or training steps; export it for inference, with everything inlined")
    if len(graphs) != 1 or len(opsets) != 1:
        raise ProtobufError(
            f"expected one graph and one opset, got {len(graphs)} and {len(opsets)}: not an ONNX network"
        )
    if opsets[0] not in OPSETS:
        raise ProtobufError(f"expected an opset from {OPSETS[0]} to {OPSETS[-1]}, got {opsets[0]}")
    inputs, outputs = _graph(graphs[0], depth=0)
    return Summary(opsets[0], inputs, outputs)


def _opset(message: memoryview) -> int:
    """Version of the OperatorSetIdProto, which must be ONNX's own."""
    version = 0
    for number, value in fields(message):
        if number == 1:
            _require_standard(text(value))
        elif number == 2:
            version = integer(value)
    return version


def _graph(message: memoryview, depth: int) -> tuple[tuple[TensorInfo, ...], tuple[TensorInfo, ...]]:
    """Check a GraphProto with all graphs in it; its inputs (but for those that are weights) and outputs."""
    if depth > _DEEPEST:
        raise ProtobufError(f"graphs within graphs, more than {_DEEPEST} deep")
    inputs, outputs, weights = [], [], set()
    for number, value in fields(message):
        if number == 1:
            _node(content(value), depth)
        elif number == 5:
            weights.add(check_tensor(content(value)))
        elif number == 11:
            inputs.append(_tensor_info(content(value)))
        elif number == 12:
            outputs.append(_tensor_info(content(value)))
        elif number == 15:
            raise ProtobufError("holds sparse weights, which are not in use here")
    return tuple(info for info in inputs if info.name not in weights), tuple(outputs)


def _node(message: memoryview, depth: int) -> None:
    """Check the domain of a NodeProto, and the tensors and graphs in its attributes."""
    for number, value in fields(message):
        if number == 7:
            _require_standard(text(value))
        elif number == 5:
            for inner, part in fields(content(value)):
                _attribute_part(inner, part, depth)


def _attribute_part(number: int, value: Value, depth: int) -> None:
    if number in (5, 10):
        check_tensor(content(value))
    elif number in (6, 11):
        _graph(content(value), depth + 1)
    elif number in (22, 23):
        raise ProtobufError("holds a sparse constant, which is not in use here")


def _require_standard(domain: str) -> None:
    if domain not in _STANDARD_DOMAINS:
        raise ProtobufError(f"needs operators of {domain[:80]!r}; only ONNX's own are allowed")


def _tensor_info(message: memoryview) -> TensorInfo:
    """A ValueInfoProto, which must be a tensor."""
    name, tensor = "", _path(message, 2, 1)
    for number, value in fields(message):
        if number == 1:
            name = text(value)
    element, shape = 0, None
    for number, value in fields(tensor):
        if number == 1:
            element = integer(value)
        elif number == 2:
            shape = tuple(_size(content(size)) for inner, size in fields(content(value)) if inner == 1)
    if element not in ELEMENT_TYPES:
        raise ProtobufError(f"{name[:80]!r} has element type {element}; known are {sorted(ELEMENT_TYPES)}")
    return TensorInfo(name, ELEMENT_TYPES[element].name, shape)


def _size(message: memoryview) -> int | None:
    """A TensorShapeProto.Dimension: its number, or None for a named one."""
    numbers = [integer(value) for number, value in fields(message) if number == 1]
    return numbers[-1] if numbers else None


def _path(message: memoryview, *numbers: int) -> memoryview:
    """The message within ``message`` under nested fields, of which there must be exactly one each.

    Repeated ones would be merged by other readers, which then would see what this one did not.
    """
    for wanted in numbers:
        found = [content(value) for number, value in fields(message) if number == wanted]
        if len(found) != 1:
            raise ProtobufError(f"expected one field {wanted}, got {len(found)}: an input or output is no tensor")
        message = found[0]
    return message


def _compare(path: Path, expected: Sequence[TensorSpec], actual: Sequence[TensorInfo]) -> None:
    """Raise EngineError unless the network's tensors are those of the manifest, in any order."""
    found = {tensor.name: tensor for tensor in actual}
    same_names = len(found) == len(actual) and found.keys() == {tensor.name for tensor in expected}
    if not (same_names and all(found[spec.name].fits(spec) for spec in expected)):
        raise EngineError(
            f"{path}: the manifest says {', '.join(_described(expected))}; the network has "
            f"{', '.join(_described(actual))}; export or install both files again"
        )


def _described(tensors: Sequence[TensorSpec | TensorInfo]) -> Iterator[str]:
    return (f"{tensor.name[:80]} {tensor.dtype} {tensor.shape}" for tensor in tensors)
