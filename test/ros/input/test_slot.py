# SPDX-License-Identifier: Apache-2.0
import threading
from types import SimpleNamespace

import pytest

from hmr_ros.ros.input import slot as module
from hmr_ros.ros.input.slot import LatestSlot


def test_the_newest_item_replaces_the_one_before():
    slot = LatestSlot()
    assert not slot.put(1)
    assert slot.put(2)
    assert slot.take() == 2
    assert not slot.put(3)


def test_a_waiting_reader_gets_the_item_and_is_woken_by_close():
    slot, taken = LatestSlot(), []

    def read():
        while (item := slot.take()) is not None:
            taken.append(item)
            slot.close()

    reader = threading.Thread(target=read)
    reader.start()
    slot.put("image")
    reader.join(5)
    assert not reader.is_alive()
    assert taken == ["image"]


@pytest.fixture
def clock(monkeypatch):
    """The time of slots, which nothing but the test moves."""
    clock = SimpleNamespace(now_s=0.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now_s))
    return clock


def slow_reader(clock, age_s):
    """A slot with the last of 20 images at 10 Hz, which has lain there for ``age_s``."""
    slot = LatestSlot()
    for number in range(20):
        clock.now_s = 0.1 * number
        slot.put(number)
        if number < 19:
            slot.take()
    clock.now_s += age_s
    return slot


def test_an_image_waits_for_the_next_one_that_is_due(clock, monkeypatch):
    slot = slow_reader(clock, 0.09)

    def wait_for(is_over, timeout):
        assert timeout is not None
        assert timeout < 0.02
        assert not is_over()
        clock.now_s += 0.01
        slot._item, slot._number = 20, 21  # as ``put`` does, which waits for the lock here
        assert is_over()

    first = slot._changed.wait_for
    waits = iter([first, wait_for])
    monkeypatch.setattr(slot._changed, "wait_for", lambda *args: next(waits)(*args))
    assert slot.take() == 20
    assert slot.lingered_s == pytest.approx(0.01)


def test_a_fresh_image_is_taken_at_once(clock):
    slot = slow_reader(clock, 0.02)
    assert slot.take() == 19
    assert slot.lingered_s == 0


def test_one_that_does_not_come_is_not_waited_for_long(clock):
    slot = slow_reader(clock, 0.099)
    assert slot.take() == 19


def test_a_slot_that_is_closed_meanwhile_gives_nothing(clock):
    slot = slow_reader(clock, 0.07)
    reader = threading.Thread(target=slot.close)
    reader.start()
    assert slot.take() is None
    reader.join(5)
