# SPDX-License-Identifier: Apache-2.0
"""Message classes for machines without ROS, made from the definitions; they do what our writers ask of ROS's.

An instance has the fields of its message with ROS's defaults, constants are attributes of the class, and SLOT_TYPES
describes the fields with the classes below, which are named as those of rosidl_parser.definition.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hmr_ros.ros.wire.schemas import definitions, full_name


class AbstractType:
    """The type of a field."""


class AbstractString(AbstractType):
    """A string of any length."""


@dataclass(frozen=True)
class BasicType(AbstractType):
    """A number; ``typename`` is IDL's name of it."""

    typename: str


@dataclass(frozen=True)
class NamespacedType(AbstractType):
    """Another message."""

    namespaces: tuple[str, str]
    name: str


@dataclass(frozen=True)
class AbstractNestedType(AbstractType):
    """Several values of one type."""

    value_type: AbstractType


@dataclass(frozen=True)
class Array(AbstractNestedType):
    """Exactly ``size`` values."""

    size: int


@dataclass(frozen=True)
class Sequence(AbstractNestedType):
    """Any number of values."""


_IDL = {"bool": "boolean", "byte": "octet", "float32": "float", "float64": "double", "char": "uint8"}
_INTEGERS = frozenset({"int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"})
_FIELD = re.compile(r"([\w/]+)(\[(?:<=)?(\d*)\])? (\w+)(?: (\S+))?")
_CONSTANT = re.compile(r"(\w+) (\w+) ?= ?(\S+)")


class Message:
    """A message of the type that the subclass is named after."""

    SLOT_TYPES: ClassVar[tuple[AbstractType, ...]] = ()
    _defaults: ClassVar[dict[str, Callable[[], Any]]] = {}

    def __init__(self, **values: Any) -> None:
        unknown = values.keys() - self._defaults.keys()
        if unknown:
            raise AttributeError(f"{type(self).__name__} has no field {', '.join(sorted(unknown))}")
        for name, default in self._defaults.items():
            setattr(self, name, values[name] if name in values else default())

    @classmethod
    def get_fields_and_field_types(cls) -> dict[str, str]:
        """The names of the fields in their order; the values are not those of ROS."""
        return dict.fromkeys(cls._defaults, "")


@functools.cache
def standin(name: str) -> Any:
    """The class for ``name``, such as std_msgs/Header. Raises ModuleNotFoundError for one without a definition."""
    package, _, short = name.partition("/")
    if name not in definitions():
        raise ModuleNotFoundError(f"{package} is not installed, and hmr_ros has no definition of {name}", name=package)
    content: dict[str, Any] = {"__module__": f"{package}.msg"}
    fields: list[AbstractType] = []
    defaults: dict[str, Callable[[], Any]] = {}
    for line in definitions()[name]:
        if constant := _CONSTANT.fullmatch(line):
            content[constant[2]] = _number(constant[1], constant[3])
        elif field := _FIELD.fullmatch(line):
            kind, default = _field(field, package)
            fields.append(kind)
            defaults[field[4]] = default
        else:
            raise ValueError(f"{name}: not a field: {line!r}")
    return type(short, (Message,), content | {"SLOT_TYPES": tuple(fields), "_defaults": defaults})


def _field(field: re.Match[str], package: str) -> tuple[AbstractType, Callable[[], Any]]:
    """Type and default of a field."""
    kind, default = _element(field[1], package, field[5])
    if field[2] is None:
        return kind, default
    if field[3] and "<" not in field[2]:
        size = int(field[3])
        if isinstance(kind, BasicType):
            return Array(kind, size), lambda: np.zeros(size)
        return Array(kind, size), lambda: [default() for _ in range(size)]
    return Sequence(kind), list


def _element(kind: str, package: str, default: str | None) -> tuple[AbstractType, Callable[[], Any]]:
    """Type and default of one value of ``kind``."""
    if kind == "string":
        return AbstractString(), str
    if kind in _IDL or kind in _INTEGERS:
        value = _number(kind, default or "0")
        return BasicType(_IDL.get(kind, kind)), lambda: value
    name = full_name(kind, package)
    standin(name)  # a definition that is missing is found now
    owner, _, short = name.partition("/")
    return NamespacedType((owner, "msg"), short), lambda: standin(name)()


def _number(kind: str, text: str) -> Any:
    """``text`` as the value of a field of ``kind``, as ROS's Python classes have it."""
    if kind == "byte":
        return bytes([int(text)])
    if kind == "bool":
        return text in ("1", "true", "True")
    return float(text) if kind.startswith("float") else int(text)
