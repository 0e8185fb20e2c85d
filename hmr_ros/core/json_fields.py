# SPDX-License-Identifier: Apache-2.0
"""Fields of decoded JSON by what they should hold; a ValueError names the field and what it holds instead."""

from __future__ import annotations

from collections.abc import Mapping

Number = float | int


def numbers(raw: Mapping[str, object], key: str) -> tuple[Number, ...]:
    """A list of numbers."""
    values = raw.get(key)
    if not isinstance(values, list):
        raise ValueError(f"{key}: expected a list of numbers, got {values!r}")
    return tuple(number(key, value) for value in values)


def rows(raw: Mapping[str, object], key: str) -> tuple[tuple[Number, ...], ...]:
    """A list of lists of numbers."""
    values = raw.get(key)
    if not isinstance(values, list):
        raise ValueError(f"{key}: expected a list of lists of numbers, got {values!r}")
    return tuple(numbers({key: row}, key) for row in values)


def text(raw: Mapping[str, object], key: str) -> str:
    """A text that is not empty."""
    value = raw.get(key)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key}: expected a text, got {value!r}")
    return value


def optional_text(raw: Mapping[str, object], key: str) -> str | None:
    """A text, or None where the field is null or absent."""
    return None if raw.get(key) is None else text(raw, key)


def mapping(raw: Mapping[str, object], key: str) -> Mapping[str, object]:
    """An object; an empty one where the field is absent."""
    value = raw.get(key, {})
    if not isinstance(value, dict):
        raise ValueError(f"{key}: expected an object, got {value!r}")
    return value


def number(key: str, value: object) -> Number:
    """``value``, a number, of the field ``key``."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{key}: expected a number, got {value!r}")
    return value
