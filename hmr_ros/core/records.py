# SPDX-License-Identifier: Apache-2.0
"""Frozen dataclasses of parallel arrays: what every record of people needs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from hmr_ros.core.arrays import Bools, Ints

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_Record = TypeVar("_Record", bound="DataclassInstance")


def check_shape(owner: object, name: str, expected: tuple[int | None, ...]) -> None:
    """Raise ValueError unless the array ``owner.name`` has shape ``expected`` (None: any size)."""
    actual = getattr(owner, name).shape
    if len(actual) != len(expected) or any(e is not None and e != a for e, a in zip(expected, actual, strict=True)):
        wanted = tuple("*" if e is None else e for e in expected)
        raise ValueError(f"{type(owner).__name__}.{name}: expected shape {wanted}, got {actual}")


def take_rows(record: _Record, index: Ints | Bools | slice) -> _Record:
    """Rows ``index`` of every array field of ``record``; the record itself where a mask takes them all."""
    if isinstance(index, np.ndarray) and index.dtype == np.bool_ and index.all():
        return record
    return dataclasses.replace(record, **{name: getattr(record, name)[index] for name in _columns(record)})


def join_rows(records: Sequence[_Record]) -> _Record:
    """The first of ``records``, one or more, with the rows of all others below in every array field."""
    columns = {name: np.concatenate([getattr(r, name) for r in records]) for name in _columns(records[0])}
    return dataclasses.replace(records[0], **columns)


def _columns(record: DataclassInstance) -> Iterator[str]:
    return (f.name for f in dataclasses.fields(record) if isinstance(getattr(record, f.name), np.ndarray))
