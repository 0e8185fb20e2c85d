# SPDX-License-Identifier: Apache-2.0
"""Reading the arrays of SMPL's pickles without running code that a pickle may hold.

A pickle is a program: it names functions and calls them. Here only the names that SMPL's files need are resolved,
objects of numpy, chumpy and scipy become inert holders of their state, and everything else is refused before it is
imported. Arrays are made from what is held: numpy itself crashes on some states.
"""

from __future__ import annotations

import collections
import copyreg
import io
import math
import pickle
import re

import numpy as np
from numpy.typing import NDArray


class UnsafePickleError(ValueError):
    """The pickle names a function or class that no body model needs."""


class Holder:
    """Replaces an object of chumpy or scipy.sparse: keeps its state and has no behaviour."""

    def __new__(cls, *_: object) -> Holder:
        """Ignore the arguments, which copyreg passes for classes it rebuilds."""
        return super().__new__(cls)

    state: object = None

    def __setstate__(self, state: object) -> None:
        """Keep the state where ``array`` finds it."""
        self.state = state


class _Array(Holder):
    """Replaces a numpy array."""

    def made(self) -> NDArray[np.generic]:
        """The array. Raises ValueError or TypeError for a state that is none of an array of numbers."""
        if not isinstance(self.state, tuple) or len(self.state) != 5:
            raise ValueError("its state is not that of an array")
        _, shape, dtype, is_fortran, content = self.state
        if not isinstance(dtype, _Dtype):
            raise ValueError("its state has no dtype")
        numbers = np.frombuffer(content.encode("latin1") if isinstance(content, str) else content, dtype.made())
        if math.prod(shape) != numbers.size:  # -3 would do for -1 to numpy
            raise ValueError(f"{numbers.size} numbers of shape {shape}")
        return numbers.reshape(shape, order="F" if is_fortran else "C")


class _Dtype(Holder):
    """Replaces a numpy dtype; ``code`` is such as f8."""

    def __init__(self, code: str = "", *_: object) -> None:
        self.code = code

    def made(self) -> np.dtype[np.generic]:
        """The dtype. Raises ValueError for one that is not of numbers."""
        order = self.state[1] if isinstance(self.state, tuple) and len(self.state) > 1 else "|"
        if not re.fullmatch(r"[biuf][1248]", str(self.code)) or order not in ("<", ">", "|", "="):
            raise ValueError(f"a dtype {self.code!r} with byte order {order!r}")
        return np.dtype(f"{order}{self.code}")


def _reconstruct(*_: object) -> _Array:
    """An array without content, whose state follows."""
    return _Array()


def _encode(text: str, codec: str) -> bytes:
    """The bytes of an array that Python 3 pickled for Python 2."""
    if codec != "latin1":
        raise UnsafePickleError(f"refused to encode as {codec!r}")
    return text.encode("latin1")


_MAX_CELLS = 10_000_000
"""More than any regressor of SMPL has."""

_ARRAY_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")
_HOLDER_MODULES = ("chumpy.", "scipy.sparse.")
_HARMLESS: dict[tuple[str, str], object] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    **{(module, "_reconstruct"): _reconstruct for module in _ARRAY_MODULES},
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("_codecs", "encode"): _encode,
    **{(module, "_reconstructor"): copyreg._reconstructor for module in ("copyreg", "copy_reg")},  # type: ignore[attr-defined]
    **{(module, kind.__name__): kind for module in ("builtins", "__builtin__") for kind in (object, set)},
}


class _RestrictedUnpickler(pickle._Unpickler):
    """The one in Python: that in C takes gigabytes for a large number in a small file."""

    def find_class(self, module: str, name: str) -> object:
        """Resolve a name of the pickle if it is allowed."""
        if (module, name) in _HARMLESS:
            return _HARMLESS[module, name]
        if module.startswith(_HOLDER_MODULES) or (module in _ARRAY_MODULES and name == "scalar"):
            return Holder
        raise UnsafePickleError(f"it names {module}.{name}, which no body model needs")


def read_pickle(content: bytes) -> dict[str, object]:
    """The dictionary in a pickle of Python 2 or 3. Raises ValueError for other contents, UnsafePickleError for code."""
    try:
        content_object = _RestrictedUnpickler(io.BytesIO(content), encoding="latin1").load()
    except UnsafePickleError:
        raise
    except Exception as err:  # a damaged pickle can raise anything
        raise ValueError(f"it is not a readable pickle ({type(err).__name__}: {err})") from err
    if not isinstance(content_object, dict):
        raise ValueError(f"it holds a {type(content_object).__name__}, not a dictionary of arrays")
    return content_object


def array(value: object, name: str) -> NDArray[np.generic]:
    """The dense array that ``value`` is, or holds as a chumpy variable or a scipy sparse matrix."""
    if isinstance(value, Holder) and isinstance(value.state, dict):
        if {"data", "indices", "indptr"} <= value.state.keys():
            return _dense(value.state)
        value = value.state.get("x")
    problem = f"{name} is no array of numbers (a chumpy expression must be evaluated and saved first)"
    if not isinstance(value, _Array):
        raise ValueError(problem)
    try:
        return value.made()
    except (OverflowError, TypeError, ValueError) as err:
        raise ValueError(f"{problem}: {err}") from err


def _dense(state: dict[str, object]) -> NDArray[np.generic]:
    """A compressed sparse matrix, by columns (SMPL's own) or by rows, from scipy's fields."""
    data, indices, indptr = (array(state[key], key) for key in ("data", "indices", "indptr"))
    shape = state.get("_shape", state.get("shape"))
    if not (isinstance(shape, tuple) and len(shape) == 2):
        raise ValueError(f"a sparse matrix has shape {shape!r}")
    if indptr.ndim != 1 or indices.ndim != 1 or data.shape != indices.shape or not 0 < math.prod(shape) < _MAX_CELLS:
        raise ValueError(f"a sparse matrix of shape {shape} has fields of shapes {data.shape} and {indices.shape}")
    by_column = len(indptr) == shape[1] + 1
    major = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr.astype(np.int64)).astype(np.int64))
    dense = np.zeros(shape, data.dtype)
    dense[(indices, major) if by_column else (major, indices)] = data
    return dense
