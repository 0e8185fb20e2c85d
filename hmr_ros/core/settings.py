# SPDX-License-Identifier: Apache-2.0
"""Settings: frozen dataclasses whose fields carry a doc, a range and whether they may change while running.

A dataclass field made by ``setting`` is the only definition of a setting: TOML files, ROS parameters (with descriptors)
and the tables of the README are read from it; core/config/ has the node's. A config dataclass as a field
(``field(default_factory=...)``) is a group; its settings are addressed with dots: "smoothing.beta".
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, get_args, get_origin, get_type_hints

Scalar = bool | int | float | str
Value = Scalar | tuple[Scalar, ...]

_Value = TypeVar("_Value")
_Config = TypeVar("_Config")

_KEY = "hmr_ros.setting"


@dataclass(frozen=True)
class _Constraint:
    """What ``setting`` stores in the field's metadata."""

    doc: str
    low: float | None
    high: float | None
    choices: tuple[Scalar, ...] | None
    read_only: bool


@dataclass(frozen=True)
class Setting:
    """One setting as ``describe`` lists it: ``name`` with dots; ``type`` as in TOML: bool, int, float, str or a list.

    ``low`` and ``high`` are inclusive bounds (of every element of a list); ``choices`` are the only values allowed;
    ``read_only`` settings are fixed once a node runs.
    """

    name: str
    type: str
    default: Value
    doc: str
    low: float | None
    high: float | None
    choices: tuple[Scalar, ...] | None
    read_only: bool

    @property
    def allowed(self) -> str:
        """The range in words, "" when anything of the type will do."""
        if self.choices is not None:
            return ", ".join(str(c) or '""' for c in self.choices)
        if self.low is None and self.high is None:
            return ""
        low, high = ("" if bound is None else f"{bound:g}" for bound in (self.low, self.high))
        return f"{low} to {high}" if low and high else f"at least {low}" if low else f"at most {high}"


def setting(
    default: _Value,
    *,
    doc: str,
    low: float | None = None,
    high: float | None = None,
    choices: Sequence[Scalar] | None = None,
    read_only: bool = False,
) -> _Value:
    """A dataclass field with its documentation and inclusive range.

    The default has the type of the field, so that ``max_people: int = setting(8, doc="...", low=1)`` checks as one.
    """
    constraint = _Constraint(doc, low, high, None if choices is None else tuple(choices), read_only)
    return field(default=default, metadata={_KEY: constraint})


def validate(config: object) -> None:
    """Raise ValueError naming the first setting of ``config`` that has a wrong type or lies out of range."""
    for s in describe(type(config)):
        _check(s, _get(config, s.name))


def describe(cls: type) -> list[Setting]:
    """Every setting of a config dataclass in the order of definition, those of groups last, as in a TOML file."""
    return list(_described(cls))


@functools.cache
def _described(cls: type) -> tuple[Setting, ...]:
    """The settings, found once per class: every change of one setting validates them all."""
    return tuple(_settings(cls, ""))


def updated(config: _Config, values: Mapping[str, Value]) -> _Config:
    """``config`` with the settings named by dotted keys replaced, and validated.

    Integers become floats and lists become tuples where the field asks for them. Raises ValueError for unknown names
    (with the nearest known one), wrong types and values out of range; ``config`` itself never changes.
    """
    known = {s.name: s for s in describe(type(config))}
    for name, value in values.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            raise ValueError(f"unknown setting {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        config = _replaced(config, name.split("."), _coerced(value, known[name].type))
    validate(config)
    return config


def parse_assignment(text: str) -> tuple[str, Value]:
    """Dotted name and value of ``name=value``, the value as in TOML; what is none there is a string.

    >>> parse_assignment("lift.steps=500"), parse_assignment("run.device=cpu")
    (('lift.steps', 500), ('run.device', 'cpu'))
    """
    name, separator, value = text.partition("=")
    if not (name and separator):
        raise ValueError(f"{text!r}: expected NAME=VALUE, for example lift.steps=500")
    try:
        parsed: Value = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value
    return name, parsed


def from_mapping(values: Mapping[str, object], cls: type[_Config]) -> _Config:
    """The config dataclass ``cls`` with ``values``, nested as its groups are (what ``dataclasses.asdict`` gives)."""
    return updated(cls(), dict(_flattened(values, "")))


def load_toml(path: Path, cls: type[_Config]) -> _Config:
    """The config dataclass ``cls`` with the values of a TOML file; tables are groups. Errors name the file."""
    try:
        return from_mapping(tomllib.loads(path.read_text(encoding="utf-8")), cls)
    except FileNotFoundError as err:
        raise ValueError(f"{path}: no such settings file") from err
    except (ValueError, RecursionError) as err:  # also TOMLDecodeError
        raise ValueError(f"{path}: {err}") from err


def _settings(cls: type, prefix: str) -> Iterator[Setting]:
    hints = get_type_hints(cls)
    for f in sorted(dataclasses.fields(cls), key=lambda f: dataclasses.is_dataclass(hints[f.name])):
        kind = hints[f.name]
        if dataclasses.is_dataclass(kind):
            assert isinstance(kind, type)
            yield from _settings(kind, f"{prefix}{f.name}.")
        elif isinstance(c := f.metadata.get(_KEY), _Constraint):
            assert f.default is not dataclasses.MISSING  # setting() always has one
            yield Setting(prefix + f.name, _type_name(kind), f.default, c.doc, c.low, c.high, c.choices, c.read_only)
        else:
            raise TypeError(f"{cls.__name__}.{f.name} is neither a setting nor a group")


def _type_name(kind: object) -> str:
    """Give "int", or "list of int" for ``tuple[int, ...]``."""
    if get_origin(kind) is tuple:
        return f"list of {_type_name(get_args(kind)[0])}"
    if kind in (bool, int, float, str):
        assert isinstance(kind, type)
        return kind.__name__
    raise TypeError(f"a setting is a bool, int, float, str or a tuple of these, got {kind}")


def _get(config: object, name: str) -> Value:
    for part in name.split("."):
        config = getattr(config, part)
    return config  # type: ignore[return-value]  # the type was checked by describe


def _replaced(config: _Config, path: Sequence[str], value: Value) -> _Config:
    name, *rest = path
    inner = _replaced(getattr(config, name), rest, value) if rest else value
    return dataclasses.replace(config, **{name: inner})  # type: ignore[type-var]


def _coerced(value: Value, kind: str) -> Value:
    if kind.startswith("list of ") and isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(_coerced(v, kind.removeprefix("list of ")) for v in value)  # type: ignore[misc]
    if kind == "float" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def _check(s: Setting, value: Value) -> None:
    elements = value if isinstance(value, tuple) else (value,)
    kind = s.type.removeprefix("list of ")
    if isinstance(value, tuple) != s.type.startswith("list") or any(type(e).__name__ != kind for e in elements):
        raise ValueError(f"{s.name}: expected {s.type}, got {value!r}")
    if not all(_is_allowed(s, e) for e in elements):
        raise ValueError(f"{s.name}: expected {s.allowed or 'a finite number'}, got {value!r}")


def _is_allowed(s: Setting, element: Scalar) -> bool:
    if s.choices is not None and element not in s.choices:
        return False
    if isinstance(element, str):
        return True
    if isinstance(element, float) and not math.isfinite(element):
        return False
    return (s.low is None or element >= s.low) and (s.high is None or element <= s.high)


def _flattened(table: Mapping[str, object], prefix: str) -> Iterator[tuple[str, Value]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value  # type: ignore[misc]  # TOML values; _check looks at them
