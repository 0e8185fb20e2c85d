# SPDX-License-Identifier: Apache-2.0
"""Who works on what: jobs in turn, those that failed again at the end."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from hmr_ros.running.many.job import Job
from hmr_ros.running.many.outcome import Outcome, Status
from hmr_ros.running.many.workers import Event, Executor

_PERIOD_S = 0.5


class Requested(Protocol):
    """Something that may be asked to stop."""

    @property
    def requested(self) -> bool:
        """Whether it was."""


@dataclass(frozen=True)
class Finished:
    """The ``job`` and its ``outcome`` after so many ``attempts``; ``again``: it will be tried once more."""

    job: Job
    outcome: Outcome
    attempts: int
    again: bool = False


class Schedule:
    """Has ``executor`` do ``jobs``, each up to 1 + ``retries`` times, until ``stopping`` is requested.

    A job that was stopped by a signal is tried again like one that failed: someone has ended its process.
    """

    def __init__(self, executor: Executor, jobs: Sequence[Job], retries: int, stopping: Requested) -> None:
        self._executor = executor
        self._stopping = stopping
        self._attempts_left = {job.number: 1 + retries for job in jobs}
        self._tried = dict.fromkeys(self._attempts_left, 0)
        self._waiting = deque(jobs)
        self._running: dict[int, Job] = {}
        self.images = 0
        """Images that were done until now, in all attempts."""

    def finished(self) -> Iterator[Finished | None]:
        """Each attempt that has ended, as it ends; None now and then, while nothing ends."""
        while (self._waiting or self._running) and not self._stopping.requested:
            while self._waiting and len(self._running) < self._executor.size:
                self._begin(self._waiting.popleft())
            for event in self._executor.events(_PERIOD_S):
                self.images += event.images
                if event.outcome is not None:
                    yield self._ended(event, event.outcome)
            yield None

    def _begin(self, job: Job) -> None:
        self._running[job.number] = job
        self._tried[job.number] += 1
        self._executor.submit(job)

    def _ended(self, event: Event, outcome: Outcome) -> Finished:
        job = self._running.pop(event.number)
        attempts = self._tried[job.number]
        again = outcome.status in (Status.FAILED, Status.INTERRUPTED) and attempts < self._attempts_left[job.number]
        if again:
            self._waiting.append(job)
        return Finished(job, outcome, attempts, again)


class Pace:
    """How fast it goes, and how long it will take."""

    def __init__(self, inputs: int) -> None:
        self._left = inputs
        self._worked = 0
        self._began_s = time.monotonic()

    def count(self, *, worked: bool) -> None:
        """One input less is left; ``worked``: it took time."""
        self._left -= 1
        self._worked += worked

    def text(self, images: int, footage_s: float) -> str:
        """Images per second, footage against time, and the time that is left by the mean input so far."""
        passed_s = max(time.monotonic() - self._began_s, 1e-6)
        parts = [f"{images / passed_s:.1f} images/s"]
        if footage_s:
            parts.append(f"{footage_s / passed_s:.2f} h of footage per h")
        if self._worked and self._left:
            parts.append(f"{duration(self._left * passed_s / self._worked)} left")
        return ", ".join(parts)


def duration(seconds: float) -> str:
    """``seconds`` in words, by the two largest units.

    >>> [duration(s) for s in (5, 75, 7260, 200_000)]
    ['5 s', '1 min 15 s', '2 h 1 min', '55 h 33 min']
    """
    minutes, rest_s = divmod(round(seconds), 60)
    hours, rest_min = divmod(minutes, 60)
    if hours:
        return f"{hours} h {rest_min} min"
    return f"{minutes} min {rest_s} s" if minutes else f"{rest_s} s"
