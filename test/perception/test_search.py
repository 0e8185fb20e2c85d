# SPDX-License-Identifier: Apache-2.0
import os
import threading

import numpy as np
import pytest

from hmr_ros.perception.search import Search

_IMAGE = np.zeros((2, 2, 3), np.uint8)


class Slow:
    """Counts searches; each ends when it is let go."""

    def __init__(self) -> None:
        self.begun = 0
        self.threads: set[str] = set()
        self.go_on = threading.Semaphore(0)

    def __call__(self, image: np.ndarray) -> int:
        self.begun += 1
        self.threads.add(threading.current_thread().name)
        assert self.go_on.acquire(timeout=120)
        return int(image[0, 0, 0])


def _image(number: int) -> np.ndarray:
    return np.full_like(_IMAGE, number)


@pytest.fixture
def slow():
    return Slow()


@pytest.fixture
def search(slow: Slow):
    search = Search(slow, background=True)
    yield search
    for _ in range(9):
        slow.go_on.release()
    search.close()


def _until_found(search: Search[int]) -> int:
    for _ in range(1000):
        if (found := search(_image(99), is_due=False, must_wait=False)) is not None:
            return found
        threading.Event().wait(0.005)
    raise AssertionError("the search did not end")


def test_in_turn_each_image_that_is_due_is_searched_at_once() -> None:
    search = Search(lambda image: int(image[0, 0, 0]))
    assert search(_image(1), is_due=True, must_wait=False) == 1
    assert search(_image(2), is_due=False, must_wait=True) is None
    search.close()


def test_in_the_background_images_go_on_without_it(slow: Slow, search: Search[int]) -> None:
    assert search(_image(1), is_due=True, must_wait=False) is None
    assert search(_image(2), is_due=True, must_wait=False) is None, "one search at a time"
    slow.go_on.release()
    assert _until_found(search) == 1, "of the image that was searched"
    assert slow.begun == 1
    assert search(_image(3), is_due=False, must_wait=False) is None, "found once"


def test_an_image_waits_where_it_must(slow: Slow, search: Search[int]) -> None:
    slow.go_on.release()
    assert search(_image(1), is_due=True, must_wait=True) == 1


def test_an_image_that_must_wait_takes_what_the_running_search_finds(slow: Slow, search: Search[int]) -> None:
    search(_image(1), is_due=True, must_wait=False)
    slow.go_on.release()
    assert search(_image(2), is_due=True, must_wait=True) == 1
    assert slow.begun == 1


def test_after_a_reset_nothing_of_before_is_found(slow: Slow, search: Search[int]) -> None:
    search(_image(1), is_due=True, must_wait=False)
    search.reset()
    slow.go_on.release(2)
    assert search(_image(2), is_due=True, must_wait=True) == 2


def test_errors_reach_the_image_that_gets_the_result() -> None:
    def fails(image: np.ndarray) -> int:
        raise ValueError("broken network")

    search = Search(fails, background=True)
    with pytest.raises(ValueError, match="broken network"):
        search(_IMAGE, is_due=True, must_wait=True)
    search.close()


def test_closing_waits_for_the_network(slow: Slow, search: Search[int]) -> None:
    search(_image(1), is_due=True, must_wait=False)
    while slow.begun == 0:  # one that has not begun is cancelled
        threading.Event().wait(0.001)
    closing = threading.Thread(target=search.close)
    closing.start()
    closing.join(0.05)
    assert closing.is_alive()
    slow.go_on.release()
    closing.join(10)
    assert not closing.is_alive()


@pytest.mark.skipif(not hasattr(os, "getpriority"), reason="this system has no priorities")
def test_it_leaves_the_core_to_images(slow: Slow) -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    search = Search(lambda _: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()), background=True)
    assert search(_IMAGE, is_due=True, must_wait=True) == min(max(own, 0) + 5, 19)
    search.close()


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="this system has no real-time policies")
@pytest.mark.parametrize(("policy", "expected"), [("SCHED_FIFO", ["SCHED_OTHER"]), ("SCHED_OTHER", [])])
def test_a_search_in_the_background_leaves_a_real_time_policy(monkeypatch, policy, expected) -> None:
    asked = []
    monkeypatch.setattr(os, "sched_getscheduler", lambda thread: getattr(os, policy))
    monkeypatch.setattr(os, "sched_setscheduler", lambda thread, new, param: asked.append((thread, new, param)))
    search = Search(lambda _: 1, background=True)
    assert search(_image(0), is_due=True, must_wait=True) == 1
    search.close()
    assert [(thread, new) for thread, new, _ in asked] == [(0, getattr(os, name)) for name in expected]
    assert all(param.sched_priority == 0 for _, _, param in asked)
