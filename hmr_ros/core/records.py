"""Frozen dataclasses of parallel arrays: what every record in people.py needs."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_Record = TypeVar("_Record", bound="DataclassInstance")


def check_shape(owner: object, name: str, expected: tuple[int | None, ...]) -> None:
    """Raise ValueError unless the array ``owner.name`` has shape ``expected`` (None: any size)."""
    actual = getattr(owner, name).shape
    if len(actual) != len(expected) or any(e is not None and e != a for e, a in zip(expected, actual, strict=True)):
        wanted = tuple("*" if e is None else e for e in expected)
        raise ValueError(f"{type(owner).__name__}.{name}: expected shape {wanted}, got {actual}")


def take_rows(record: _Record, index: NDArray[np.integer] | NDArray[np.bool_] | slice) -> _Record:
    """Rows ``index`` of every array field of ``record``; the record itself where a mask takes them all."""
    if isinstance(index, np.ndarray) and index.dtype == np.bool_ and index.all():
        return record
    rows = {
        f.name: value[index]
        for f in dataclasses.fields(record)
        if isinstance(value := getattr(record, f.name), np.ndarray)
    }
    return dataclasses.replace(record, **rows)
