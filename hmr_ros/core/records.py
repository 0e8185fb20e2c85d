# SPDX-License-Identifier: Apache-2.0
"""Frozen dataclasses of parallel arrays: the base of every record that holds one row per person, image or sample."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

import numpy as np

from hmr_ros.core.arrays import Array, Bools, Ints

_Rows = TypeVar("_Rows", bound="Record")


@dataclass(frozen=True, eq=False)
class Record:
    """N rows in *columns*: the fields that are arrays (N, ...) or records of N rows.

    All other fields (a joint set, a path) hold for every row. The first column counts the rows.
    """

    def __len__(self) -> int:
        return len(self._columns()[0][1])

    def take(self, index: Ints | Bools | slice) -> Self:
        """The rows ``index``, in that order: (M,) row numbers, an (N,) mask or a slice.

        The record itself, not a copy, where a mask takes all rows.
        """
        if isinstance(index, np.ndarray) and index.dtype == np.bool_ and index.all():
            return self
        return self._remade({name: _rows_of(column, index) for name, column in self._columns()})

    def with_rows(self, rows: Ints | Bools, others: Self) -> Self:
        """The record with ``rows``, (M,) numbers or an (N,) mask, replaced by M ``others``; types stay."""
        return self._remade({name: _replaced(column, rows, getattr(others, name)) for name, column in self._columns()})

    def _columns(self) -> list[tuple[str, Array | Record]]:
        values = vars(self)
        columns = ((name, values[name]) for name in _field_names(self))
        return [(name, value) for name, value in columns if isinstance(value, (np.ndarray, Record))]

    def _remade(self, columns: Mapping[str, Array | Record]) -> Self:
        """The record with other ``columns``, which are rows of records that were checked when they were made.

        Without the checks of a constructor: they would take a third of the time of the steps between networks.
        """
        made = object.__new__(type(self))
        values = vars(self)
        vars(made).update({name: values[name] for name in _field_names(self)}, **columns)
        return made


_FIELD_NAMES: dict[type[object], tuple[str, ...]] = {}


def _field_names(record: Record) -> tuple[str, ...]:
    """The fields of a record; dataclasses.fields takes longer than all else that is done with them."""
    kind: type[object] = type(record)
    if kind not in _FIELD_NAMES:
        _FIELD_NAMES[kind] = tuple(field.name for field in dataclasses.fields(record))
    return _FIELD_NAMES[kind]


def join_rows(records: Sequence[_Rows]) -> _Rows:
    """The rows of one or more records, in order; fields that are no columns are those of the first record.

    Raises ValueError for columns of different widths.
    """
    columns = {name: _joined([getattr(r, name) for r in records]) for name, _ in records[0]._columns()}
    return records[0]._remade(columns)


def check_shape(owner: object, name: str, expected: tuple[int | None, ...]) -> None:
    """Raise ValueError unless the array ``owner.name`` has shape ``expected`` (None: any size)."""
    actual = getattr(owner, name).shape
    if actual == expected:
        return  # the usual case, of some two hundred of each image
    if len(actual) != len(expected) or any(e is not None and e != a for e, a in zip(expected, actual, strict=True)):
        wanted = tuple("*" if e is None else e for e in expected)
        raise ValueError(f"{type(owner).__name__}.{name}: expected shape {wanted}, got {actual}")


def _rows_of(column: Array | Record, index: Ints | Bools | slice) -> Array | Record:
    """Rows ``index`` of a column of N rows."""
    return column.take(index) if isinstance(column, Record) else column[index]


def _replaced(column: Array | Record, rows: Ints | Bools, others: Array | Record) -> Array | Record:
    if isinstance(column, Record) and isinstance(others, Record):
        return column.with_rows(rows, others)
    assert isinstance(column, np.ndarray), "columns of one record have the kinds of the other's"
    replaced = column.copy()
    replaced[rows] = others
    return replaced


def _joined(columns: Sequence[Array | Record]) -> Array | Record:
    if inner := [column for column in columns if isinstance(column, Record)]:
        return join_rows(inner)
    return np.concatenate([column for column in columns if not isinstance(column, Record)])
