# SPDX-License-Identifier: Apache-2.0
"""A network in ONNX Runtime's C library, on the CPU."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

import numpy as np

from hmr_ros.core.arrays import Array
from hmr_ros.engines.onnx.c_library import CLibrary, OrtError
from hmr_ros.engines.onnx.session import CONFIG, CPU, PROVIDERS
from hmr_ros.engines.onnx.weights import ELEMENT_TYPES

_NUMBERS = {dtype.newbyteorder("="): number for number, dtype in ELEMENT_TYPES.items()}
"""numpy's type -> ONNXTensorElementDataType, whose numbers are those of TensorProto.DataType."""

_ALL_OPTIMISATIONS, _ERRORS_ONLY = 99, 3
_ARENA_ALLOCATOR, _DEFAULT_MEMORY = 1, 0


class CRuntime:
    """A Runtime of the C library, which has the CPU alone here."""

    def __init__(self, library: CLibrary) -> None:
        self._library = library
        self.version = f"{library.version} ({library.name})"

    def providers(self) -> list[str]:
        """The CPU."""
        return [PROVIDERS[CPU][0]]

    def open(self, model: bytes, threads: int, backend: str) -> CSession:
        """The network in ``model``. Raises OrtError where it cannot be loaded."""
        return CSession(self._library, model, threads)


class CSession:
    """A Session of the C library, whose memory is freed by ``close`` or with the object."""

    def __init__(self, library: CLibrary, model: bytes, threads: int) -> None:
        """Raises OrtError where the network cannot be loaded."""
        self._library = library
        with ExitStack() as owned, ExitStack() as temporary:
            self._memory = library.create("CreateCpuMemoryInfo", _ARENA_ALLOCATOR, _DEFAULT_MEMORY)
            owned.callback(library.releaser("MemoryInfo", self._memory))
            arguments = (library.environment, model, len(model), self._options(temporary, threads))
            self._session = library.create("CreateSessionFromArray", *arguments)
            owned.callback(library.releaser("Session", self._session))
            self._release = weakref.finalize(self, owned.pop_all().close)

    def providers(self) -> list[str]:
        """The CPU."""
        return [PROVIDERS[CPU][0]]

    def run(self, outputs: Sequence[str], inputs: Mapping[str, Array]) -> list[Array]:
        """Copies of the tensors ``outputs``. Raises OrtError for inputs that the network does not take."""
        with ExitStack() as temporary:
            arrays = [np.ascontiguousarray(array) for array in inputs.values()]  # alive until all is computed
            given = _addresses([self._tensor(temporary, array) for array in arrays])
            results = _addresses([None] * len(outputs))
            names, wanted = _texts(inputs), _texts(outputs)
            self._library.call("Run", self._session, None, names, given, len(given), wanted, len(wanted), results)
            computed = [value or 0 for value in results]
            for value in computed:
                temporary.callback(self._library.releaser("Value", value))
            return [self._copy(value) for value in computed]

    def close(self) -> None:
        """Free the network; ``run`` must not be called afterwards."""
        self._release()

    def _options(self, owner: ExitStack, threads: int) -> int:
        options = self._library.create("CreateSessionOptions")
        owner.callback(self._library.releaser("SessionOptions", options))
        self._library.call("SetIntraOpNumThreads", options, threads)
        self._library.call("SetSessionGraphOptimizationLevel", options, _ALL_OPTIMISATIONS)
        self._library.call("SetSessionLogSeverityLevel", options, _ERRORS_ONLY)
        for name, value in CONFIG.items():
            self._library.call("AddSessionConfigEntry", options, name.encode(), value.encode())
        return options

    def _tensor(self, owner: ExitStack, array: Array) -> int:
        """An OrtValue over the memory of a contiguous ``array``."""
        if array.dtype not in _NUMBERS:
            raise OrtError(f"unexpected input data type {array.dtype}")
        shape = (ctypes.c_int64 * array.ndim)(*array.shape)
        number, start = _NUMBERS[array.dtype], array.ctypes.data
        arguments = (self._memory, start, array.nbytes, shape, array.ndim, number)
        tensor = self._library.create("CreateTensorWithDataAsOrtValue", *arguments)
        owner.callback(self._library.releaser("Value", tensor))
        return tensor

    def _copy(self, value: int) -> Array:
        """The tensor in an OrtValue as an array that owns its memory."""
        shape, dtype = self._shape_and_type(value)
        copy = np.empty(shape, dtype)
        start = self._library.create("GetTensorMutableData", value)
        ctypes.memmove(copy.ctypes.data, start, copy.nbytes)
        return copy

    def _shape_and_type(self, value: int) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
        info = self._library.create("GetTensorTypeAndShape", value)
        with ExitStack() as temporary:
            temporary.callback(self._library.releaser("TensorTypeAndShapeInfo", info))
            number, count = ctypes.c_int(), ctypes.c_size_t()
            self._library.call("GetTensorElementType", info, ctypes.byref(number))
            self._library.call("GetDimensionsCount", info, ctypes.byref(count))
            shape = (ctypes.c_int64 * count.value)()
            self._library.call("GetDimensions", info, shape, count.value)
        return tuple(shape), ELEMENT_TYPES[number.value]


def _addresses(values: Sequence[int | None]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * len(values))(*values)


def _texts(names: Sequence[str] | Mapping[str, Array]) -> ctypes.Array[ctypes.c_char_p]:
    return (ctypes.c_char_p * len(names))(*(name.encode() for name in names))
