# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime's C library by ctypes: where it lies, and its functions with failures raised as exceptions.

``ros-<distro>-onnxruntime-vendor`` and ONNX Runtime's own archives are this library alone, without a Python package.
"""

from __future__ import annotations

import ctypes
import functools
import os
import re
from collections.abc import Callable, Iterator
from ctypes import c_char_p, c_int, c_int64, c_size_t, c_uint32, c_void_p
from pathlib import Path

from hmr_ros.engines.runtime import EngineError

API_VERSION = 17
"""Of ONNX Runtime 1.17; all later libraries have this interface, too."""

NAMES = ("libonnxruntime.so.1", "libonnxruntime.so")
"""What the loader is asked for: LD_LIBRARY_PATH, then the system's directories."""

_VENDORED = "opt/onnxruntime_vendor/lib/libonnxruntime.so*"
"""Where the package onnxruntime_vendor has it, below the prefix of a workspace or distribution."""

_ERRORS_ONLY = 3

# Function -> position in the struct OrtApi, which never changes, and types of its arguments (onnxruntime_c_api.h).
_P, _OUT = c_void_p, ctypes.POINTER(c_void_p)
_FUNCTIONS: dict[str, tuple[int, tuple[type, ...]]] = {
    "CreateEnv": (3, (c_int, c_char_p, _OUT)),
    "CreateSessionFromArray": (8, (_P, c_char_p, c_size_t, _P, _OUT)),
    "Run": (9, (_P, _P, _P, _P, c_size_t, _P, c_size_t, _P)),
    "CreateSessionOptions": (10, (_OUT,)),
    "SetSessionLogSeverityLevel": (22, (_P, c_int)),
    "SetSessionGraphOptimizationLevel": (23, (_P, c_int)),
    "SetIntraOpNumThreads": (24, (_P, c_int)),
    "CreateTensorWithDataAsOrtValue": (49, (_P, _P, c_size_t, _P, c_size_t, c_int, _OUT)),
    "GetTensorMutableData": (51, (_P, _OUT)),
    "GetTensorElementType": (60, (_P, ctypes.POINTER(c_int))),
    "GetDimensionsCount": (61, (_P, ctypes.POINTER(c_size_t))),
    "GetDimensions": (62, (_P, ctypes.POINTER(c_int64), c_size_t)),
    "GetTensorTypeAndShape": (65, (_P, _OUT)),
    "CreateCpuMemoryInfo": (69, (c_int, c_int, _OUT)),
    "AddSessionConfigEntry": (130, (_P, c_char_p, c_char_p)),
}
_RELEASES = {
    "Env": 92,
    "MemoryInfo": 94,
    "Session": 95,
    "Value": 96,
    "TensorTypeAndShapeInfo": 99,
    "SessionOptions": 100,
}
_GET_ERROR_MESSAGE, _RELEASE_STATUS = 2, 93


class OrtError(Exception):
    """ONNX Runtime refused a call; the message is its own."""


class _ApiBase(ctypes.Structure):
    """OrtApiBase."""

    _fields_ = [
        ("get_api", ctypes.CFUNCTYPE(c_void_p, c_uint32)),
        ("get_version_string", ctypes.CFUNCTYPE(c_char_p)),
    ]


class CLibrary:
    """The functions of one loaded library, and the environment that its sessions share until the process ends."""

    def __init__(self, name: str) -> None:
        """``name``: a path, or a file name for the loader. Raises OSError where it cannot be loaded or is too old."""
        library = ctypes.CDLL(name)
        if not hasattr(library, "OrtGetApiBase"):
            raise OSError(f"{name} is not ONNX Runtime")
        library.OrtGetApiBase.restype = ctypes.POINTER(_ApiBase)
        base: _ApiBase = library.OrtGetApiBase().contents
        self.name, self.version = name, base.get_version_string().decode()
        address = base.get_api(API_VERSION) if _minor(self.version) >= API_VERSION else None
        if not address:
            raise OSError(f"{name} is ONNX Runtime {self.version}; 1.{API_VERSION} or newer is needed")
        self._addresses = ctypes.cast(address, _OUT)
        self._message = ctypes.CFUNCTYPE(c_char_p, _P)(self._address(_GET_ERROR_MESSAGE))
        self._release_status = ctypes.CFUNCTYPE(None, _P)(self._address(_RELEASE_STATUS))
        self._functions = {
            function: ctypes.CFUNCTYPE(_P, *types)(self._address(position))
            for function, (position, types) in _FUNCTIONS.items()
        }
        self._releases = {
            kind: ctypes.CFUNCTYPE(None, _P)(self._address(position)) for kind, position in _RELEASES.items()
        }
        self.environment = self.create("CreateEnv", _ERRORS_ONLY, b"hmr_ros")

    def call(self, function: str, *arguments: object) -> None:
        """Call ``function``, one of _FUNCTIONS. Raises OrtError with ONNX Runtime's message."""
        if status := self._functions[function](*arguments):
            message: bytes = self._message(status)
            text = message.decode(errors="replace")  # a copy: the status owns the bytes
            self._release_status(status)
            raise OrtError(text)

    def create(self, function: str, *arguments: object) -> int:
        """The address that ``function`` writes to its last argument. Raises OrtError."""
        created = c_void_p()
        self.call(function, *arguments, ctypes.byref(created))
        return created.value or 0

    def releaser(self, kind: str, address: int) -> Callable[[], None]:
        """A function without arguments that frees the object ``kind`` at ``address``."""
        return functools.partial(self._releases[kind], address)

    def _address(self, position: int) -> int:
        return self._addresses[position] or 0


@functools.cache
def load_library() -> CLibrary:
    """The first library of ``candidates`` that works. Raises EngineError that says why there is none."""
    problems = []
    for name in candidates():
        try:
            return CLibrary(name)
        except OSError as err:
            problems.append(str(err))
    raise EngineError("; ".join(problems))


def candidates() -> Iterator[str]:
    """Names and paths to try, in this order."""
    yield from NAMES
    for prefix in filter(None, os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)):
        yield from map(str, sorted(Path(prefix).glob(_VENDORED)))


def _minor(version: str) -> int:
    """17 of "1.17.3"."""
    match = re.match(r"1\.(\d+)", version)
    return int(match[1]) if match else API_VERSION
