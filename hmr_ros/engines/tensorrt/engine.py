# SPDX-License-Identifier: Apache-2.0
"""TensorRT at run time: pinned buffers, one stream, a CUDA graph per input shape, no GPU memory allocated per frame."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from hmr_ros.core.arrays import Array, Bytes
from hmr_ros.core.manifest import WHOLE_IMAGE_KINDS, Manifest, TensorSpec
from hmr_ros.engines.runtime import BATCH_SIZES, EngineError
from hmr_ros.engines.tensorrt.api import Contexts, TensorRt
from hmr_ros.engines.tensorrt.build_request import precision_of
from hmr_ros.engines.tensorrt.cuda import CudaError, CudaStream, Graph
from hmr_ros.engines.tensorrt.types import ExecutionContext

MAX_SHAPES = 16
"""Input shapes that are kept ready; a camera has one or two, a directory of photos more."""

_log = logging.getLogger(__name__)

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, eq=False)
class Buffer:
    """A tensor's memory, enough for its largest shape: ``host`` is pinned, ``device`` an address on the GPU."""

    dtype: DTypeLike
    host: Bytes
    device: int

    def part(self, shape: tuple[int, ...]) -> Bytes:
        """The bytes that a tensor of ``shape`` takes."""
        return self.host[: math.prod(shape) * np.dtype(self.dtype).itemsize]

    def view(self, shape: tuple[int, ...]) -> Array:
        """The host memory as an array."""
        return self.part(shape).view(self.dtype).reshape(shape)


@dataclass(frozen=True, eq=False)
class Prepared:
    """One shape, ready to run: ``launch`` copies inputs to the GPU, infers and copies outputs back, without waiting.

    ``context`` must live as long as its recorded ``graph`` is used.
    """

    inputs: Mapping[str, Array]
    outputs: Mapping[str, Array]
    launch: Callable[[], object]
    context: ExecutionContext
    graph: Graph | None

    def close(self) -> None:
        """Free the graph."""
        if self.graph is not None:
            self.graph.close()


class LoadedEngine:
    """A deserialised engine with its memory. Raises EngineError for whatever does not work."""

    def __init__(
        self,
        library: TensorRt,
        data: bytes,
        *,
        host_code: bool = False,
        kernels: bytes = b"",
        stream: CudaStream | None = None,
    ) -> None:
        """``data``: an engine of our own making; ``host_code`` as in TensorRt.deserialize, ``kernels`` in Contexts."""
        self._library = library
        self._stream = stream or CudaStream()
        self._prepared: dict[tuple[tuple[int, ...], ...], Prepared] = {}
        try:
            self._engine = library.deserialize(data, host_code=host_code)
            self._contexts = Contexts(library, self._engine, kernels)
            self._scratch = self._stream.device(max(self._engine.device_memory_size_v2, 1))
            self.inputs, self.outputs = self._names()
            largest = {name: self._profile_shape(name, -1) for name in self.inputs}
            shapes = self._all_shapes(self._contexts.create(self._scratch), largest)
            self._buffers = {name: self._buffer(name, shape) for name, shape in shapes.items()}
        except BaseException:
            self._stream.close()
            raise

    def __str__(self) -> str:
        return str(self._library)

    def run(self, inputs: Shapes, fill: Callable[[Mapping[str, Array]], None]) -> Mapping[str, Array]:
        """Outputs for inputs of the shapes ``inputs``, which ``fill`` writes into; valid until the next run."""
        ready = self.prepare(inputs)
        fill(ready.inputs)
        ready.launch()
        self._stream.wait()
        return ready.outputs

    def run_zeros(self) -> None:
        """One inference of the smallest shape."""
        smallest = {name: self._profile_shape(name, 0) for name in self.inputs}
        self.run(smallest, lambda arrays: None)

    def prepare(self, inputs: Shapes) -> Prepared:
        """Everything for inputs of these shapes, which may take long the first time. The oldest of many is dropped."""
        key = tuple(inputs[name] for name in self.inputs)
        if key not in self._prepared:
            if len(self._prepared) == MAX_SHAPES:
                self._prepared.pop(next(iter(self._prepared))).close()
            self._prepared[key] = self._prepare(inputs)
        return self._prepared[key]

    def kernels(self) -> bytes:
        """See Contexts.kernels."""
        return self._contexts.kernels()

    def describe(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        """Type and shape (-1: varies) of every tensor by name."""
        names = (*self.inputs, *self.outputs)
        engine, library = self._engine, self._library
        return {name: (library.dtype(engine, name), tuple(engine.get_tensor_shape(name))) for name in names}

    def close(self) -> None:
        """Free all memory; graphs before the contexts that they were recorded from."""
        self._stream.close()
        self._prepared.clear()

    def _prepare(self, inputs: Shapes) -> Prepared:
        # A context per shape: a captured graph is tied to the state of its context (TensorRT, "CUDA Graphs").
        context = self._contexts.create(self._scratch)
        shapes = self._all_shapes(context, inputs)
        for name, buffer in self._buffers.items():
            if not context.set_tensor_address(name, buffer.device):
                raise EngineError(f"{self._library} does not take memory for {name!r}: {self._library.reason}")

        def enqueue() -> None:
            for name in self.inputs:
                self._stream.copy_to_device(self._buffers[name].device, self._buffers[name].part(shapes[name]))
            if not context.execute_async_v3(int(self._stream)):
                raise EngineError(f"{self._library} cannot run the engine: {self._library.reason}")
            for name in self.outputs:
                self._stream.copy_to_host(self._buffers[name].part(shapes[name]), self._buffers[name].device)

        enqueue()  # a first time outside of the graph: TensorRT sets up what depends on the shape
        self._stream.wait()
        graph = self._captured(context, enqueue)
        return Prepared(
            {name: self._buffers[name].view(shapes[name]) for name in self.inputs},
            {name: self._buffers[name].view(shapes[name]) for name in self.outputs},
            enqueue if graph is None else graph.launch,
            context,
            graph,
        )

    def _captured(self, context: ExecutionContext, enqueue: Callable[[], None]) -> Graph | None:
        """None where recording is impossible: then everything is enqueued again each time."""
        if not self._contexts.can_be_captured(context, int(self._stream)):
            return None
        try:
            return self._stream.capture(enqueue)
        except CudaError as err:
            _log.warning("%s: runs without a CUDA graph (%s)", self._library, err)
            return None

    def _names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        names = [self._engine.get_tensor_name(index) for index in range(self._engine.num_io_tensors)]
        inputs = tuple(name for name in names if self._library.is_input(self._engine, name))
        return inputs, tuple(name for name in names if name not in inputs)

    def _profile_shape(self, name: str, which: int) -> tuple[int, ...]:
        return tuple(self._engine.get_tensor_profile_shape(name, 0)[which])

    def _all_shapes(self, context: ExecutionContext, inputs: Shapes) -> dict[str, tuple[int, ...]]:
        """Shapes of all tensors that follow from those of the inputs."""
        for name, shape in inputs.items():
            if not context.set_input_shape(name, shape):
                low, high = (self._profile_shape(name, which) for which in (0, -1))
                raise EngineError(f"{self._library}: input {name!r} takes {low} to {high}, got {shape}")
        shapes = {name: tuple(context.get_tensor_shape(name)) for name in (*self.inputs, *self.outputs)}
        if open_ended := [name for name, shape in shapes.items() if min(shape, default=0) < 0]:
            raise EngineError(f"{self._library}: the size of {open_ended} depends on the data; export it otherwise")
        return shapes

    def _buffer(self, name: str, largest: tuple[int, ...]) -> Buffer:
        dtype = np.dtype(self._library.dtype(self._engine, name))
        size = math.prod(largest) * dtype.itemsize
        return Buffer(dtype, self._stream.pinned(size), self._stream.device(size))


class TensorRtEngine:
    """A network run by TensorRT. Batches of any size: padded to BATCH_SIZES, several runs for more."""

    def __init__(self, manifest: Manifest, loaded: LoadedEngine) -> None:
        """Get every batch size ready. Raises EngineError if ``loaded`` differs from ``manifest``, which it closes."""
        self._manifest = manifest
        self._loaded = loaded
        try:
            _compare(manifest, loaded)
            self._warm_up()
        except BaseException:
            loaded.close()
            raise

    @property
    def manifest(self) -> Manifest:
        """What the network expects and returns."""
        return self._manifest

    @property
    def status(self) -> str:
        """What runs it: library, version and precision."""
        return f"{self._loaded}, {precision_of(self._manifest)}"

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Every output by name, for arrays that match the manifest's inputs. Raises EngineError."""
        rows = _check(self._manifest.inputs, inputs)
        step = BATCH_SIZES[-1] if self._batched else 1
        parts = [
            self._run_rows({name: array[start : start + step] for name, array in inputs.items()})
            for start in range(0, max(rows, 1), step)
        ]
        if len(parts) == 1:
            return parts[0]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def close(self) -> None:
        """Free the network; ``run`` must not be called afterwards."""
        self._loaded.close()

    @property
    def _batched(self) -> bool:
        """Whether the engine takes more than one row; that of whole images does not."""
        return self._manifest.kind not in WHOLE_IMAGE_KINDS

    def _run_rows(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """One run. The rows that pad are not written: a row's outputs do not depend on other rows."""
        rows = len(next(iter(inputs.values())))
        padded = next(size for size in BATCH_SIZES if size >= rows)

        def fill(arrays: Mapping[str, Array]) -> None:
            for name, array in inputs.items():
                arrays[name][:rows] = array

        outputs = self._loaded.run({name: (padded, *array.shape[1:]) for name, array in inputs.items()}, fill)
        return {spec.name: outputs[spec.name][:rows].copy() for spec in self._manifest.outputs}

    def _warm_up(self) -> None:
        """Prepare every batch size, so that the first crowd is not late. Images of any size are prepared when seen."""
        sizes = [size for spec in self._manifest.inputs for size in spec.shape[1:]]
        if not all(isinstance(size, int) for size in sizes):
            return
        for rows in BATCH_SIZES if self._batched else BATCH_SIZES[:1]:
            self._loaded.prepare({spec.name: (rows, *map(int, spec.shape[1:])) for spec in self._manifest.inputs})


def _check(specs: tuple[TensorSpec, ...], inputs: Mapping[str, Array]) -> int:
    """The number of rows. Raises EngineError unless ``inputs`` are those of the manifest."""
    wanted = {spec.name: spec for spec in specs}
    rows = {len(array) for array in inputs.values() if array.ndim}
    if (
        inputs.keys() != wanted.keys()
        or len(rows) != 1
        or not all(_matches(wanted[n], str(a.dtype), a.shape) for n, a in inputs.items())
    ):
        given = ", ".join(f"{name} {array.dtype} {array.shape}" for name, array in inputs.items())
        raise EngineError(f"expected {', '.join(f'{s.name} {s.dtype} {s.shape}' for s in specs)}; got {given}")
    return rows.pop()


def _compare(manifest: Manifest, loaded: LoadedEngine) -> None:
    found = loaded.describe()
    specs = {spec.name: spec for spec in (*manifest.inputs, *manifest.outputs)}
    if found.keys() != specs.keys() or not all(_matches(specs[name], *found[name]) for name in found):
        raise EngineError(f"{manifest.name}: the manifest says {list(specs.values())}; the engine has {found}")


def _matches(spec: TensorSpec, dtype: str, shape: tuple[int, ...]) -> bool:
    """Whether a tensor is the manifest's; named sizes are any."""
    same_sizes = all(isinstance(a, str) or b in (a, -1) for a, b in zip(spec.shape, shape, strict=False))
    return dtype == spec.dtype and len(shape) == len(spec.shape) and same_sizes
