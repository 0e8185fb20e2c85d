# SPDX-License-Identifier: Apache-2.0
"""One event after the other, in random order, and what became of each."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hmr_ros.bench.soak.events import EVENTS, OK, Event
from hmr_ros.bench.soak.watch import Report
from hmr_ros.bench.soak.world import World

RECOVERY_S = 9.0
"""Time to be well again, s: diagnostics name what they found in the last 5 s."""

_LATE_CAMERA_S = 0.5
"""A gap between images, s, that this process made itself, as the machine is busy: what follows is its own fault."""


@dataclass(frozen=True)
class Outcome:
    """What became of an event at ``minute``: "" or what is ``wrong``; or ``excused``, as this process was late."""

    name: str
    minute: float
    wrong: str
    excused: str = ""


@dataclass
class _Running:
    event: Event
    began_s: float
    dropped: int
    ended_s: float = 0.0


class Script:
    """Call ``step`` before each image; ``outcomes`` of the events that are over."""

    def __init__(self, world: World, started_s: float, events: Sequence[Event] = EVENTS) -> None:
        self.outcomes: list[Outcome] = []
        self._world = world
        self._started_s = started_s
        self._order = self._shuffled(events)
        self._now: _Running | None = None
        self._next_s = started_s + RECOVERY_S
        self._stepped_s = started_s
        self._late_s = float("-inf")

    @property
    def quiet(self) -> bool:
        """Whether nothing happens, nor has in the last seconds."""
        return self._now is None

    def step(self) -> None:
        """Begin, continue or end an event, if it is time."""
        now_s = time.monotonic()
        if now_s - self._stepped_s > _LATE_CAMERA_S:
            self._late_s = now_s
        self._stepped_s = now_s
        if self._now is None:
            if now_s >= self._next_s:
                self._begin(next(self._order), now_s)
        elif not self._now.ended_s:
            self._continue(self._now, now_s)
        elif now_s >= self._now.ended_s + RECOVERY_S:
            self._judge(self._now, now_s)

    def _shuffled(self, events: Sequence[Event]) -> Iterator[Event]:
        while True:
            for index in self._world.rng.permutation(len(events)):
                yield events[index]

    def _begin(self, event: Event, now_s: float) -> None:
        self._world.watch.forget(now_s - 2.0)
        reports = self._world.watch.reports
        self._now = _Running(event, now_s, reports[-1].dropped() if reports else 0)
        event.begin(self._world)

    def _continue(self, running: _Running, now_s: float) -> None:
        running.event.during(self._world)
        if now_s >= running.began_s + running.event.seconds:
            running.event.end(self._world)
            running.ended_s = now_s

    def _judge(self, running: _Running, now_s: float) -> None:
        reports = [report for report in self._world.watch.reports if report.at_s > running.began_s]
        minute = (running.began_s - self._started_s) / 60
        wrong = problem(running.event, reports, running.dropped) or self._unanswered()
        excused = ""
        if self._late_s > running.began_s:  # this process was late itself
            wrong, excused = "", wrong
        self.outcomes.append(Outcome(running.event.name, round(minute, 2), wrong, excused))
        self._now, self._next_s = None, now_s + 1.0

    def _unanswered(self) -> str:
        names = self._world.unanswered()
        return f"no answer of {', '.join(names)}" if names else ""


def problem(event: Event, reports: Sequence[Report], dropped_before: int) -> str:
    """What is wrong with the ``reports`` since ``event`` began; "" when nothing."""
    if not reports:
        return "no diagnostics came"
    if not reports[-1].healthy:
        return f"not well {RECOVERY_S:g} s afterwards: {reports[-1].message}"
    said = sorted({report.message for report in reports if not report.healthy})
    if event.says == OK:
        return f"diagnostics said {said}" if said else ""
    if event.drops and reports[-1].dropped() <= dropped_before:
        return "broken images were not counted"
    if event.says and not any(re.search(event.says, message) for message in said):
        return f"diagnostics did not say {event.says!r}, but {said}"
    return ""
