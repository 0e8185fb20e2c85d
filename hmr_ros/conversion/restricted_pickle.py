# SPDX-License-Identifier: Apache-2.0
"""Reading the arrays of SMPL's pickles without running code that a pickle may hold.

A pickle is a program: it names functions and calls them. Here only the names that SMPL's files need are resolved,
chumpy and scipy objects become inert holders of their state, and everything else is refused before it is imported.
"""

from __future__ import annotations

import collections
import copyreg
import importlib
import io
import pickle

import numpy as np
from numpy.typing import NDArray


class UnsafePickleError(ValueError):
    """The pickle names a function or class that no body model needs."""


class Holder:
    """Replaces an object of chumpy or scipy.sparse: keeps its state and has no behaviour."""

    def __new__(cls, *_: object) -> Holder:
        """Ignore the arguments, which copyreg passes for classes it rebuilds."""
        return super().__new__(cls)

    def __setstate__(self, state: object) -> None:
        """Keep the state where ``array`` finds it."""
        self.state = state


def _encode(text: str, codec: str) -> bytes:
    """The bytes of an array that Python 3 pickled for Python 2."""
    if codec != "latin1":
        raise UnsafePickleError(f"refused to encode as {codec!r}")
    return text.encode("latin1")


_ARRAY_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")
_HOLDER_MODULES = ("chumpy.", "scipy.sparse.")
_HARMLESS: dict[tuple[str, str], object] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("_codecs", "encode"): _encode,
    **{(module, "_reconstructor"): copyreg._reconstructor for module in ("copyreg", "copy_reg")},  # type: ignore[attr-defined]
    **{(module, kind.__name__): kind for module in ("builtins", "__builtin__") for kind in (object, set)},
}


class _RestrictedUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        """Resolve a name of the pickle if it is allowed."""
        if (module, name) in _HARMLESS:
            return _HARMLESS[module, name]
        if module in _ARRAY_MODULES and name in ("_reconstruct", "scalar"):
            # Old numpy has no numpy._core, new numpy warns of numpy.core.
            home = "numpy._core.multiarray" if hasattr(np, "_core") else "numpy.core.multiarray"
            return getattr(importlib.import_module(home), name)
        if module.startswith(_HOLDER_MODULES):
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
    if isinstance(value, Holder):
        state = value.state if isinstance(value.state, dict) else {}
        if {"data", "indices", "indptr"} <= state.keys():
            return _dense(state)
        value = state.get("x")
    if not isinstance(value, np.ndarray) or value.dtype.hasobject:
        raise ValueError(f"{name} is no array of numbers (a chumpy expression must be evaluated and saved first)")
    return value


def _dense(state: dict[str, object]) -> NDArray[np.generic]:
    """A compressed sparse matrix, by columns (SMPL's own) or by rows, from scipy's fields."""
    data, indices, indptr = (array(state[key], key) for key in ("data", "indices", "indptr"))
    shape = state.get("_shape", state.get("shape"))
    if not (isinstance(shape, tuple) and len(shape) == 2):
        raise ValueError(f"a sparse matrix has shape {shape!r}")
    by_column = len(indptr) == shape[1] + 1
    major = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr.astype(np.int64)).astype(np.int64))
    dense = np.zeros(shape, data.dtype)
    dense[(indices, major) if by_column else (major, indices)] = data
    return dense
