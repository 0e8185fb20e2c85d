# SPDX-License-Identifier: Apache-2.0
import threading
import time

import pytest

from hmr_ros.engines.runtime import EngineError
from hmr_ros.engines.sharing import EnginePool


class CountingEngine:
    """Notes how many threads are in ``run`` at once, and how often it was closed."""

    manifest, status = "manifest", "runs"

    def __init__(self):
        self.inside = self.most_inside = self.closed = 0

    def run(self, inputs):
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        time.sleep(0.002)  # as real engines do, it lets other threads run
        self.inside -= 1
        return dict(inputs)

    def close(self):
        self.closed += 1


def test_an_engine_is_opened_once_and_closed_with_its_last_user():
    pool, made = EnginePool(), []

    def opener():
        made.append(CountingEngine())
        return made[-1]

    first, second = pool.open("a", opener), pool.open("a", opener)
    other = pool.open("b", opener)
    assert (len(made), len(pool)) == (2, 2)
    assert (first.manifest, first.status) == ("manifest", "runs")
    first.close()
    first.close()  # once more changes nothing for the others
    assert second.run({"x": 1}) == {"x": 1}
    assert made[0].closed == 0
    second.close()
    other.close()
    assert [engine.closed for engine in made] == [1, 1]
    assert len(pool) == 0
    pool.open("a", opener).close()
    assert len(made) == 3


def test_threads_run_an_engine_one_after_the_other():
    pool, engine = EnginePool(), CountingEngine()
    users = [pool.open("a", lambda: engine) for _ in range(3)]
    threads = [threading.Thread(target=lambda u=user: [u.run({}) for _ in range(20)]) for user in users]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert engine.most_inside == 1


def test_an_engine_that_does_not_open_is_not_kept():
    pool = EnginePool()

    def broken():
        raise EngineError("no such file")

    with pytest.raises(EngineError, match="no such file"):
        pool.open("a", broken)
    assert len(pool) == 0
    pool.open("a", CountingEngine).close()
