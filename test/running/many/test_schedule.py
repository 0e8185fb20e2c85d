# SPDX-License-Identifier: Apache-2.0
from types import SimpleNamespace

import pytest

from hmr_ros.running.many.outcome import Outcome, Status
from hmr_ros.running.many.schedule import Pace, Schedule
from hmr_ros.running.many.workers import Event

GOING = SimpleNamespace(requested=False)


class Scripted:
    """Answers each attempt of a job with the next of its statuses."""

    def __init__(self, size, **statuses):
        self.size, self.busy, self.most = size, [], 0
        self._statuses = {int(name[1:]): list(of) for name, of in statuses.items()}
        self.began = []

    def submit(self, job):
        self.busy.append(job.number)
        self.began.append(job.number)
        self.most = max(self.most, len(self.busy))

    def events(self, timeout_s):
        number = self.busy.pop(0)
        return [Event(number, 3), Event(number, outcome=Outcome(self._statuses[number].pop(0)))]


def jobs(count):
    return [SimpleNamespace(number=number) for number in range(count)]


def run(executor, count, retries=1, stopping=GOING):
    schedule = Schedule(executor, jobs(count), retries, stopping)
    ended = [each for each in schedule.finished() if each is not None]
    return schedule, [(each.job.number, each.outcome.status, each.attempts, each.again) for each in ended]


DONE, FAILED, STOPPED = Status.DONE, Status.FAILED, Status.INTERRUPTED


def test_failed_jobs_are_tried_again_after_the_others():
    executor = Scripted(1, j0=[FAILED, DONE], j1=[DONE], j2=[STOPPED, FAILED])
    schedule, ended = run(executor, 3)
    assert executor.began == [0, 1, 2, 0, 2]
    assert ended == [
        (0, FAILED, 1, True),
        (1, DONE, 1, False),
        (2, STOPPED, 1, True),
        (0, DONE, 2, False),
        (2, FAILED, 2, False),
    ]
    assert schedule.images == 15


@pytest.mark.parametrize("retries", [0, 2])
def test_retries_are_counted(retries):
    executor = Scripted(1, j0=[FAILED] * 9)
    _, ended = run(executor, 1, retries)
    assert len(ended) == 1 + retries
    assert [again for *_, again in ended] == [True] * retries + [False]


def test_all_workers_have_something_to_do():
    executor = Scripted(3, **{f"j{k}": [DONE] for k in range(5)})
    run(executor, 5)
    assert executor.most == 3


def test_nothing_begins_after_a_request_to_stop():
    stopping = SimpleNamespace(requested=False)
    schedule = Schedule(Scripted(1, j0=[DONE], j1=[DONE]), jobs(2), 0, stopping)
    numbers = []
    for each in schedule.finished():
        if each is not None:
            numbers.append(each.job.number)
            stopping.requested = True
    assert numbers == [0]


def test_the_time_left_is_that_of_inputs_which_took_some(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    pace = Pace(4)
    pace.count(worked=False)
    assert "left" not in pace.text(0, 0.0)
    now[0] = 10.0
    pace.count(worked=True)
    assert pace.text(50, 20.0) == "5.0 images/s, 2.00 h of footage per h, 20 s left"
    assert pace.text(50, 0.0) == "5.0 images/s, 20 s left"
