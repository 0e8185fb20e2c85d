# SPDX-License-Identifier: Apache-2.0
"""Which image comes next when images wait for detections; the clock is a number."""

import struct
import threading
from types import SimpleNamespace

import pytest

from hmr_ros.ros.input import waiting_slot as module
from hmr_ros.ros.input.waiting_slot import WaitingSlot


def image(number):
    return b"\0\1\0\0" + struct.pack("<iI", number, 0)


class Slot:
    """A slot with a patience of 1 s, whose images are ready by number."""

    def __init__(self, monkeypatch):
        self.now_s, self.ready, self.dropped = 0.0, set(), 0
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now_s))
        self.slot = WaitingSlot(lambda stamp: stamp.sec in self.ready, 1.0, self.drop)
        monkeypatch.setattr(self.slot._changed, "wait", self.wait)
        self.rests, self.then = [], lambda: self.slot.close()

    def drop(self):
        self.dropped += 1

    def wait(self, rest_s):
        self.rests.append(rest_s)
        self.then()

    def put(self, *numbers, at_s=None):
        self.now_s = self.now_s if at_s is None else at_s
        return [self.slot.put(image(number)) for number in numbers]

    def take(self):
        data = self.slot.take()
        return None if data is None else struct.unpack_from("<i", data, 4)[0]


@pytest.fixture
def slot(monkeypatch):
    return Slot(monkeypatch)


def test_the_newest_that_is_ready_comes_and_those_before_it_are_dropped(slot):
    slot.put(1, 2, 3, 4)
    slot.ready = {1, 3}
    assert (slot.take(), slot.dropped) == (3, 2)
    slot.ready = {4}
    assert (slot.take(), slot.dropped) == (4, 2)


def test_none_is_ready_until_patience_ends(slot):
    slot.put(1)
    slot.put(2, at_s=0.25)
    slot.then = lambda: setattr(slot, "now_s", 1.0)
    assert slot.take() == 1
    assert slot.rests == [0.75], "until the first has waited for a second"
    slot.now_s = 1.25
    assert slot.take() == 2


def test_of_those_that_waited_too_long_the_newest_comes(slot):
    slot.put(1, 2)
    slot.put(3, at_s=0.5)
    slot.now_s = 1.2
    assert (slot.take(), slot.dropped) == (2, 1)


def test_one_that_is_ready_comes_before_newer_ones_that_waited_too_long(slot):
    slot.put(1, 2)
    slot.now_s, slot.ready = 2.0, {1}
    assert [slot.take(), slot.take(), slot.dropped] == [1, 2, 0]


def test_a_slow_reader_keeps_no_images_that_will_never_be_taken(slot):
    slot.ready = set(range(100))
    assert slot.put(*range(100)) == [False] * 100
    assert slot.dropped == 99
    slot.ready = set()
    assert slot.put(*range(100, 200), at_s=0.5).count(True) == 100 - (module._CAPACITY - 1)


def test_a_message_without_a_stamp_does_not_wait(slot):
    slot.slot.put(b"\0\1\0\0")
    assert slot.slot.take() == b"\0\1\0\0"


def test_a_closed_slot_gives_nothing(slot):
    slot.put(1)
    assert slot.take() is None


def test_what_arrives_wakes_the_reader():
    ready, taken = set(), []
    slot = WaitingSlot(lambda stamp: stamp.sec in ready, 60.0, lambda: None)
    slot.put(image(5))
    reader = threading.Thread(target=lambda: taken.append(slot.take()))
    reader.start()
    ready.add(5)
    slot.wake()
    reader.join(20)
    assert taken == [image(5)]
