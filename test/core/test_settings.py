# SPDX-License-Identifier: Apache-2.0
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hmr_ros.core.settings import describe, load_toml, setting, updated


@dataclass(frozen=True)
class Inner:
    rate: float = setting(1.0, doc="a rate in Hz", low=0, high=10)


@dataclass(frozen=True)
class Outer:
    count: int = setting(3, doc="how many", low=1, read_only=True)
    mode: str = setting("a", doc="which way", choices=("a", "b"))
    flag: bool = setting(False, doc="whether")
    widths: tuple[int, ...] = setting((64, 32), doc="layer widths", low=1)
    inner: Inner = field(default_factory=Inner)


def test_describe_flattens_groups_in_order():
    rows = describe(Outer)
    assert [r.name for r in rows] == ["count", "mode", "flag", "widths", "inner.rate"]
    assert [r.type for r in rows] == ["int", "str", "bool", "list of int", "float"]
    assert [r.allowed for r in rows] == ["at least 1", "a, b", "", "at least 1", "0 to 10"]
    assert [r.read_only for r in rows] == [True, False, False, False, False]
    assert rows[-1].default == 1.0
    assert rows[-1].doc == "a rate in Hz"


def test_describe_lists_groups_last_as_toml_files_do():
    @dataclass(frozen=True)
    class Mixed(Outer):
        last: int = setting(1, doc="defined after the group")

    assert [row.name for row in describe(Mixed)][-2:] == ["last", "inner.rate"]


def test_updated_replaces_and_leaves_the_original():
    config = Outer()
    changed = updated(config, {"inner.rate": 4, "widths": [8], "mode": "b"})
    assert (changed.inner.rate, changed.widths, changed.mode) == (4.0, (8,), "b")
    assert isinstance(changed.inner.rate, float)
    assert config == Outer()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"count": 0}, "count: expected at least 1, got 0"),
        ({"count": 1.5}, "count: expected int, got 1.5"),
        ({"count": True}, "count: expected int, got True"),
        ({"inner.rate": True}, "inner.rate: expected float, got True"),
        ({"flag": 1}, "flag: expected bool"),
        ({"mode": "c"}, "mode: expected a, b, got 'c'"),
        ({"widths": (8, 0)}, "widths: expected at least 1"),
        ({"widths": 8}, "widths: expected list of int, got 8"),
        ({"widths": (8, 2.5)}, "widths: expected list of int"),
        ({"widths": (8, True)}, "widths: expected list of int"),
        ({"count": (3,)}, "count: expected int"),
        ({"mode": 1}, "mode: expected str"),
        ({"inner.rate": -0.1}, "inner.rate: expected 0 to 10"),
        ({"inner.rate": 11.0}, "inner.rate: expected 0 to 10"),
        ({"inner.rate": float("nan")}, "inner.rate: expected 0 to 10"),
        ({"open": float("nan")}, "open: expected a finite number, got nan"),
        ({"open": float("-inf")}, "open: expected a finite number, got -inf"),
        ({"inner": 1.0}, "unknown setting 'inner'"),
        ({"cuont": 1}, "unknown setting 'cuont'; did you mean 'count'"),
    ],
)
def test_updated_names_what_is_wrong(values: dict[str, object], message: str):
    @dataclass(frozen=True)
    class WithoutBounds(Outer):
        open: float = setting(0.0, doc="of any size")

    with pytest.raises(ValueError, match=message):
        updated(WithoutBounds(), values)


def test_load_toml(tmp_path: Path):
    path = tmp_path / "a.toml"
    path.write_text("count = 5\nwidths = [1, 2]\n[inner]\nrate = 2\n")
    assert load_toml(path, Outer) == Outer(count=5, widths=(1, 2), inner=Inner(2.0))


@pytest.mark.parametrize(
    "text", ["count = ", "count = -1", "[other]\nx = 1", 'widths = [["a"]]', "count = 1979-05-27", "x = " + "[" * 9000]
)
def test_load_toml_errors_name_the_file(tmp_path: Path, text: str):
    path = tmp_path / "a.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"a\.toml"):
        load_toml(path, Outer)
    with pytest.raises(ValueError, match="no such settings file"):
        load_toml(tmp_path / "absent.toml", Outer)


def test_a_plain_field_is_refused():
    @dataclass(frozen=True)
    class Plain:
        x: int = 1

    with pytest.raises(TypeError, match="neither a setting nor a group"):
        describe(Plain)


@pytest.mark.parametrize("rate", [0.0, 10.0])
def test_the_ends_of_a_range_are_in_it(rate: float):
    assert updated(Outer(), {"inner.rate": rate, "count": 1, "widths": (1, 7)}).inner.rate == rate
