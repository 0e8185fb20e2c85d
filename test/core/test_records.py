# SPDX-License-Identifier: Apache-2.0
import dataclasses
import functools
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from hmr_ros.core.arrays import Floats, Ints
from hmr_ros.core.records import Record, check_shape, join_rows


@dataclass(frozen=True, eq=False)
class _Point(Record):
    xy: Floats


@dataclass(frozen=True, eq=False)
class _Walker(Record):
    name: str
    ids: Ints
    point: _Point


def walkers(*ids: int, name: str = "a") -> _Walker:
    return _Walker(name, np.array(ids, np.int64), _Point(np.outer(ids, [1.0, 10.0])))


@pytest.mark.parametrize("index", [np.array([2, 0]), np.array([True, False, True]), slice(1, None)])
def test_rows_are_taken_from_every_column_and_from_records_in_it(index):
    taken = walkers(3, 5, 7).take(index)
    assert isinstance(taken, _Walker)
    assert_array_equal(taken.ids, np.array([3, 5, 7])[index])
    assert_array_equal(taken.point.xy[:, 1], 10 * taken.ids)
    assert taken.name == "a"
    assert len(taken) == len(taken.point) == 2


def test_a_mask_that_takes_all_rows_copies_nothing():
    three = walkers(3, 5, 7)
    assert three.take(np.ones(3, np.bool_)) is three
    assert three.take(np.array([True, True, False])) is not three


def test_rows_are_joined_in_order_also_those_of_inner_records():
    joined = join_rows([walkers(3), walkers(name="c"), walkers(7, 5, name="b")])
    assert_array_equal(joined.ids, [3, 7, 5])
    assert_array_equal(joined.point.xy[:, 0], [3, 7, 5])
    assert joined.name == "a"


def test_no_rows():
    none = walkers()
    assert len(none) == len(none.take(np.zeros(0, np.bool_))) == len(join_rows([none, none])) == 0


def test_wrong_shapes_are_named():
    check_shape(walkers(1).point, "xy", (1, None))
    with pytest.raises(ValueError, match=r"_Point.xy: expected shape \(2, '\*'\), got \(1, 2\)"):
        check_shape(walkers(1).point, "xy", (2, None))


@pytest.mark.parametrize("expected", [(1,), (1, 2, None), (1, 3), (2, 2), (None, 1)])
def test_another_number_or_size_of_axes_is_a_wrong_shape(expected):
    for fits in ((1, 2), (None, 2), (1, None), (None, None)):
        check_shape(walkers(1).point, "xy", fits)
    with pytest.raises(ValueError, match=r"got \(1, 2\)"):
        check_shape(walkers(1).point, "xy", expected)


def by_constructor(record, index):
    """The slow reference of ``take``: through the constructor, with its checks."""
    columns = {
        name: by_constructor(value, index) if isinstance(value, Record) else value[index]
        for name, value in vars(record).items()
        if isinstance(value, (np.ndarray, Record))
    }
    return dataclasses.replace(record, **columns)


def assert_same(a, b):
    assert type(a) is type(b)
    assert vars(a).keys() == vars(b).keys()
    for name, value in vars(a).items():
        if isinstance(value, Record):
            assert_same(value, getattr(b, name))
        else:
            assert_array_equal(value, getattr(b, name))


@pytest.mark.parametrize("index", [np.array([1, 1]), np.zeros(0, np.int64), slice(None), np.array([0, 1, 0], np.bool_)])
def test_rows_are_those_that_the_constructor_would_check(index):
    some = walkers(3, 5, 7)
    assert_same(some.take(index), by_constructor(some, index))
    assert_same(join_rows([some.take(index), some]).take(slice(-3, None)), some)
    assert_same(some.with_rows(np.arange(3), some), some)


def test_a_record_of_rows_is_frozen_and_keeps_what_is_no_column():
    class Counted(_Walker):
        @functools.cached_property
        def total(self) -> int:
            return int(self.ids.sum())

    some = Counted("a", np.array([3, 5]), _Point(np.zeros((2, 2))))
    assert (some.total, some.take(np.array([1])).total) == (8, 5)
    with pytest.raises(dataclasses.FrozenInstanceError):
        some.take(np.array([1])).name = "b"


def test_columns_of_other_widths_cannot_be_joined():
    with pytest.raises(ValueError, match="dimensions"):
        join_rows([_Point(np.zeros((1, 2))), _Point(np.zeros((1, 3)))])
