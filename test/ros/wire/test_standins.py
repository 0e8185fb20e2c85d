# SPDX-License-Identifier: Apache-2.0
"""Messages without ROS are those of ROS: the same fields, defaults, constants and bytes."""

import re

import numpy as np
import pytest

from hmr_ros.ros.wire import standins, types
from hmr_ros.ros.wire.encoding import fields_of, serialise
from hmr_ros.ros.wire.schemas import definitions, full_name, schema
from test.ros.wire.reference import assert_same

NAMES = sorted(definitions())


def real_class(name):
    package, _, short = name.partition("/")
    assert types.is_installed(package), "test/interfaces has the packages that no wheel has"
    return types.message_class(package, short)


def kind_text(kind):
    """A field's type in words, alike for rosidl's classes and the stand-ins."""
    for name in ("Array", "BoundedSequence", "UnboundedSequence", "Sequence"):
        if type(kind).__name__ == name:
            size = kind.size if name == "Array" else "*"
            return f"{kind_text(kind.value_type)}[{size}]"
    if isinstance(kind, types.BasicType):
        return kind.typename
    if isinstance(kind, types.NamespacedType):
        return f"{kind.namespaces[0]}/{kind.name}"
    assert isinstance(kind, types.AbstractString)
    return "string"


def fill(message, numbers):
    """Give every field of ``message`` values of its own; sequences two of them."""
    for name, value, kind in list(fields_of(message)):
        setattr(message, name, filled(kind, value, numbers))
    return message


def filled(kind, value, numbers):
    if isinstance(kind, types.BasicType):
        number = next(numbers) % 100
        special = {"boolean": number % 2 == 1, "octet": bytes([number]), "float": number + 0.5, "double": number + 0.5}
        return special.get(kind.typename, number)
    if isinstance(kind, types.AbstractString):
        return "é" * (next(numbers) % 7)
    if isinstance(kind, types.AbstractNestedType):
        count = kind.size if isinstance(kind, types.Array) else 2
        if isinstance(kind.value_type, types.BasicType):
            values = [filled(kind.value_type, None, numbers) for _ in range(count)]
            return np.array(values, value.dtype) if isinstance(value, np.ndarray) else values
        return [filled(kind.value_type, None, numbers) for _ in range(count)]
    return fill(value if value is not None else MAKE["new"](kind), numbers)


MAKE = {}


@pytest.mark.parametrize("name", NAMES)
def test_the_fields_are_those_of_ros(name):
    real, standin = real_class(name), standins.standin(name)
    assert list(standin.get_fields_and_field_types()) == list(real.get_fields_and_field_types())
    assert [kind_text(kind) for kind in standin.SLOT_TYPES] == [kind_text(kind) for kind in real.SLOT_TYPES]
    assert types.type_name(standin) == types.type_name(real) == name.replace("/", "/msg/")


@pytest.mark.parametrize("name", NAMES)
def test_defaults_are_those_of_ros(name):
    assert serialise(standins.standin(name)()) == serialise(real_class(name)())
    assert_same(serialise(standins.standin(name)()), real_class(name)())


@pytest.mark.parametrize("name", NAMES)
def test_bytes_are_those_of_ros(name, monkeypatch):
    monkeypatch.setitem(MAKE, "new", lambda kind: types.message_class(kind.namespaces[0], kind.name)())
    real = fill(real_class(name)(), iter(range(7, 5000)))
    monkeypatch.setitem(MAKE, "new", lambda kind: standins.standin(f"{kind.namespaces[0]}/{kind.name}")())
    standin = fill(standins.standin(name)(), iter(range(7, 5000)))
    assert serialise(standin) == serialise(real)
    assert_same(serialise(standin), real)


@pytest.mark.parametrize("name", NAMES)
def test_constants_are_those_of_ros(name):
    constants = {k: v for k, v in vars(standins.standin(name)).items() if k.isupper() and k != "SLOT_TYPES"}
    assert constants == {key: getattr(real_class(name), key) for key in constants}


def test_a_schema_holds_all_that_the_message_contains():
    text = schema("hmr_ros/SmplBodyArray")
    first, *others = text.split("=" * 80 + "\n")
    assert first.startswith("std_msgs/Header header\nstring method\n")
    assert [other.partition("\n")[0] for other in others] == [
        "MSG: std_msgs/Header",
        "MSG: hmr_ros/SmplBody",
        "MSG: builtin_interfaces/Time",
        "MSG: geometry_msgs/Point",
        "MSG: hmr_ros/SmplForecast",
    ]
    for name in NAMES:
        for line in schema(name).splitlines():
            assert re.fullmatch(r"=+|MSG: \S+|[\w/]+(\[(<=)?\d*\])? \w+( \S+)?|\w+ \w+ ?= ?\S+", line), line


def test_names_within_a_package_are_completed():
    assert full_name("Point", "geometry_msgs") == "geometry_msgs/Point"
    assert full_name("std_msgs/Header", "geometry_msgs") == "std_msgs/Header"


def test_an_unknown_field_and_an_unknown_message_are_refused():
    with pytest.raises(AttributeError, match="Header has no field frame"):
        standins.standin("std_msgs/Header")(frame="map")
    with pytest.raises(ModuleNotFoundError, match="unicorn_msgs is not installed, and hmr_ros has no definition"):
        types.message_class("unicorn_msgs", "Unicorn")
    assert not types.is_installed("unicorn_msgs")
