# SPDX-License-Identifier: Apache-2.0
import os
import threading
import time

import pytest

from hmr_ros.bench.thread_times import ThreadTime, by_part, thread_times
from hmr_ros.core.thread_names import show_name

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="needs Linux's /proc")


def test_times_of_threads_by_their_names():
    done, names = threading.Event(), []

    def work():
        show_name("hmr_worker_of_a_long_name")
        until = time.thread_time() + 0.02
        while time.thread_time() < until:
            pass
        names.append(threading.get_native_id())
        done.wait()

    thread = threading.Thread(target=work)
    thread.start()
    while not names:
        time.sleep(0.001)
    times = thread_times(os.getpid())
    done.set()
    thread.join()
    assert times[names[0]].name == "hmr_worker_of_a"
    assert times[names[0]].seconds >= 0.015


def test_threads_are_told_apart_by_their_names():
    before = {7: ThreadTime("python3", 1.0), 8: ThreadTime("hmr_worker", 2.0), 10: ThreadTime("dds.shm.7411", 0.5)}
    after = {
        7: ThreadTime("python3", 1.25),
        8: ThreadTime("hmr_worker", 4.0),
        9: ThreadTime("python3", 0.125),  # began in between
        10: ThreadTime("dds.shm.7411", 1.0),
        11: ThreadTime("dds.ev.0", 0.25),
    }
    assert by_part(7, before, after) == {"executor": 0.25, "hmr_worker": 2.0, "networks": 0.125, "middleware": 0.75}


def test_a_process_that_is_not_there_has_no_threads():
    assert thread_times(2**22 + 1) == {}
