# SPDX-License-Identifier: Apache-2.0
import threading

import pytest

from hmr_ros.core.temporal.name_pool import NamePool

REST_S = 20.0


def test_a_thousand_people_one_after_another_need_few_names():
    """Each is there for a second; the names of twenty others rest meanwhile."""
    pool, seen = NamePool("p", REST_S), set()
    for person in range(1000):
        seen.update(pool.names([person], person))
        pool.release([person], person + 0.9)
    assert len(seen) == 21


def test_a_name_stays_with_its_track():
    pool = NamePool("p", REST_S)
    first = pool.names([7], 0.0)
    for second in range(1, 100):
        assert pool.names([8, 7], float(second))[1:] == first


def test_two_tracks_at_the_same_time_never_share_a_name():
    pool = NamePool("p", 0.5)
    for second in range(100):
        crowd = list(range(second, second + 9))
        assert len(set(pool.names(crowd, float(second)))) == len(crowd)
        pool.release([second], float(second))


@pytest.mark.parametrize("step_s", [0.03, 1.0, 7.0])
def test_a_name_never_comes_back_within_the_rest(step_s: float):
    pool, freed = NamePool("p", REST_S), dict[str, float]()
    for person in range(2000):
        stamp_s = person * step_s
        (name,) = pool.names([person], stamp_s)
        assert stamp_s - freed.get(name, -100.0) > REST_S
        pool.release([person], stamp_s)
        freed[name] = stamp_s


def test_names_rest_again_when_time_jumps_back():
    """As when a bag starts over: tf2 forgets all transforms then, and so may we, but not all names."""
    pool = NamePool("p", REST_S)
    (late,) = pool.names([1], 1000.0)
    pool.release([1], 1000.0)
    assert pool.names([2], 5.0) != [late]
    assert pool.names([3], 5.0 + REST_S) != [late]
    assert pool.names([4], 5.1 + REST_S) == [late]


def test_who_has_no_name_needs_no_rest():
    pool = NamePool("p", REST_S)
    pool.release([1, 2], 0.0)
    pool.release([1], 1.0)
    assert pool.names([3, 4], 100.0) == ["p0", "p1"]


def test_cameras_of_one_process_share_the_names():
    """Each camera publishes from a thread of its own."""
    pool, found = NamePool("p", REST_S), list[str]()

    def camera(first: int) -> None:
        for number in range(first, first + 200):
            found.extend(pool.names([number], 0.0))

    threads = [threading.Thread(target=camera, args=(first,)) for first in (0, 1000, 2000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == len(found) == 600
