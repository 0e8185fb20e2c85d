# SPDX-License-Identifier: Apache-2.0
import threading

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
