# SPDX-License-Identifier: Apache-2.0
"""Valid input with damage, as hypothesis strategies."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping, Sequence

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

_HEAD = 96
"""Bytes of a file or message that most often hold lengths and types."""

_TOKENS = (
    *(struct.pack("<I", number) for number in (0, 1, 2**16, 2**31 - 1, 2**31, 2**32 - 1)),
    *(struct.pack("<d", number) for number in (np.nan, np.inf, -np.inf, 1e300, -1.0, 0.0)),
    *(b"-1", b"1e999", b".nan", b".inf", b"null", b"{}", b"[]", b'""', b"\x00", b"\xff\xfe", b"9" * 5000),
)
"""What numbers and words must not be."""

DEEP = b"[" * 5_000
"""Nested deeper than recursive parsers can follow."""

_EDIT = struct.Struct("<BBI")
"""Kind of the damage, what is put there, and where: one edit."""

_MAX_EDITS = 5


def spoiled(data: bytes, recipe: bytes) -> bytes:
    """``data`` after the edits in ``recipe``: bytes replaced, put in, taken out, repeated, or the end cut off.

    One string of bytes for all edits, as hypothesis takes a millisecond for a list of tuples.
    """
    result = bytearray(data)
    for kind, which, where in _EDIT.iter_unpack(recipe[: len(recipe) // _EDIT.size * _EDIT.size]):
        content = _TOKENS[which] if which < len(_TOKENS) else bytes([which, where % 256][: 1 + which % 2])
        span = len(result) if where % 2 else min(len(result), _HEAD)
        at = (where // 2) % max(span, 1)
        _apply(result, kind % 6, at, content)
    return bytes(result)


def _apply(result: bytearray, kind: int, at: int, content: bytes) -> None:
    """One edit of ``result``, in place."""
    if kind <= 1:
        result[at : at + len(content)] = content
    elif kind == 2:
        result[at:at] = content
    elif kind == 3:
        del result[at : at + len(content)]
    elif kind == 4:
        result[at:at] = result[at : at + 8 * len(content)]
    else:
        del result[at:]


def damaged(seeds: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Any bytes, or one of the valid ``seeds``, whole or spoiled. Small ones are the simplest to hypothesis."""
    recipe = st.binary(max_size=_MAX_EDITS * _EDIT.size)
    return st.one_of(st.binary(max_size=200), st.builds(spoiled, st.sampled_from(seeds), recipe))


def archives(arrays: Mapping[str, NDArray[np.generic]]) -> st.SearchStrategy[bytes]:
    """An .npz file of ``arrays``, some of which are missing, of another shape or type, or hold NaN."""
    changes = st.dictionaries(st.sampled_from(sorted(arrays)), st.sampled_from(_CHANGES), max_size=2)
    return st.builds(lambda chosen: _archive(arrays, chosen), changes)


_CHANGES = ("missing", "empty", "flat", "scalar", "text", "complex", "nan", "huge", "negative", "shorter")


def _archive(arrays: Mapping[str, NDArray[np.generic]], changes: Mapping[str, str]) -> bytes:
    changed = {name: _changed(array, changes.get(name, "")) for name, array in arrays.items()}
    stream = io.BytesIO()
    np.savez(stream, **{name: array for name, array in changed.items() if array is not None})  # type: ignore[arg-type]
    return stream.getvalue()


def _changed(array: NDArray[np.generic], change: str) -> NDArray[np.generic] | None:
    """``array`` after one of _CHANGES; None: it is missing."""
    numbers = {"nan": np.nan, "huge": 1e300, "negative": -1.0}
    if change in numbers:
        return np.full(array.shape, numbers[change])
    results: dict[str, NDArray[np.generic] | None] = {
        "missing": None,
        "empty": array.reshape(-1)[:0],
        "flat": array.reshape(-1),
        "scalar": np.array(3.0),
        "text": np.full(array.shape, "a"),
        "complex": np.zeros(array.shape, np.complex128),
        "shorter": array[:-1] if array.ndim else array,
    }
    return results.get(change, array)
