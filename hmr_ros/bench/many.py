# SPDX-License-Identifier: Apache-2.0
"""Many inputs: two workers against one, each on one core, and what it costs to hand out work to eight.

The efficiency of two workers is 1 when they do twice as much as one. It is measured by time, which other programs on
the machine spoil, and by the workers themselves: CPU time per image of one against two, times the part of the time for
which the two had work. Scheduling is measured with work that only waits, so that eight need no eight cores.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hmr_ros.bench.protocol import Options, Row
from hmr_ros.core.config import PipelineSettings
from hmr_ros.core.share import share_dir
from hmr_ros.media.sources import Excerpt
from hmr_ros.perception.assemble import assemble
from hmr_ros.perception.pipeline import Pipeline
from hmr_ros.perception.shared import SharedParts
from hmr_ros.running.many.cluster import LOCAL, Cluster
from hmr_ros.running.many.inputs import Input, Kind
from hmr_ros.running.many.job import Job, request_for
from hmr_ros.running.many.outcome import Outcome
from hmr_ros.running.many.store import open_store
from hmr_ros.running.many.workers import Executor, Workers
from hmr_ros.running.request import Request

INPUTS, SECONDS = 4, 1.5
"""Copies of the clip, of each of which so much is processed."""

HANDS, TASKS, WAIT_S = 8, 32, 4.0
"""Who waits, how often all together, and how long each time: shorter than a recording takes."""

EFFICIENCY_GOAL, SCHEDULING_GOAL = 0.85, 0.05


@dataclass(frozen=True)
class Trial:
    """What ``workers`` took: time from the first job to the last; CPU time and time of all jobs; images."""

    workers: int
    wall_s: float
    cpu_s: float
    busy_s: float
    images: int

    @property
    def busy(self) -> float:
        """The part of the time for which the workers had work."""
        return self.busy_s / (self.workers * self.wall_s)


def run(options: Options) -> Row:
    """Measure both, ``options.repeats`` / 10 times."""
    clip = options.source or share_dir() / "samples/crossing.mp4"
    with tempfile.TemporaryDirectory(prefix="hmr_ros-") as directory:
        jobs = _jobs(clip, Path(directory))
        rounds = max(options.repeats // 10, 1)
        pairs = [(_trial(1, jobs), _trial(2, jobs)) for _ in range(rounds)]
        waits = [_cost(lambda: Workers(HANDS, waiting), jobs[0])]
        if importlib.util.find_spec("ray") is not None:
            waits.append(_cost(lambda: Cluster(LOCAL, 1, waiting, HANDS), jobs[0]))
    return _row(pairs, waits)


def efficiency(one: Trial, two: Trial) -> float:
    """Of two workers, by what they measure themselves."""
    return (one.cpu_s / one.images) / (two.cpu_s / two.images) * two.busy


def waiting(settings: PipelineSettings, parts: SharedParts) -> Pipeline:
    """In place of networks: wait as if a recording were processed, and refuse."""
    time.sleep(WAIT_S)
    raise RuntimeError("only waits")


def _row(pairs: Sequence[tuple[Trial, Trial]], waits: Sequence[float]) -> Row:
    figures = {
        "efficiency of two workers, by time": statistics.median(one.wall_s / two.wall_s / 2 for one, two in pairs),
        "efficiency of two workers, by CPU time and work": statistics.median(efficiency(*pair) for pair in pairs),
        "part of the time two workers had work": statistics.median(two.busy for _, two in pairs),
        "CPU s per image, one worker": statistics.median(one.cpu_s / one.images for one, _ in pairs),
        "CPU s per image, two workers": statistics.median(two.cpu_s / two.images for _, two in pairs),
    }
    reached = figures["efficiency of two workers, by CPU time and work"]
    goals = {f"efficiency of two workers at least {EFFICIENCY_GOAL:.0%}": reached >= EFFICIENCY_GOAL}
    for name, cost in zip((f"{HANDS} workers", f"{HANDS} tasks of Ray"), waits, strict=False):
        figures[f"scheduling of {name}, of tasks of {WAIT_S:g} s"] = cost
        figures[f"scheduling of {name}, s per task"] = cost * WAIT_S / (1 - cost)
        goals[f"scheduling of {name} below {SCHEDULING_GOAL:.0%}"] = cost < SCHEDULING_GOAL
    return {
        "settings": {"inputs": INPUTS, "seconds": SECONDS, "rounds": len(pairs), "tasks": TASKS},
        "medians_ms": {},
        "figures": figures,
        "goals": goals,
    }


def _jobs(clip: Path, directory: Path) -> list[Job]:
    """One for each copy of ``clip``, with results that are thrown away."""
    jobs = []
    for number in range(INPUTS):
        copy = directory / f"{number}{clip.suffix}"
        shutil.copyfile(clip, copy)
        given = Input(copy, Kind.VIDEO)
        request = request_for(given, Request("", excerpt=Excerpt(seconds=SECONDS), saved=("json", "npz"), fov=60.0))
        jobs.append(Job(number, given, request, "bench", directory / "out"))
    return jobs


def _trial(count: int, jobs: Sequence[Job]) -> Trial:
    """``jobs`` by ``count`` workers with one core each, whose networks are open before."""
    with _on_cores(count), open_store(jobs[0].out), contextlib.closing(Workers(count, assemble)) as workers:
        _done(workers, jobs[:count])
        for result in list(jobs[0].out.iterdir()):
            shutil.rmtree(result, ignore_errors=True)
        began_s = time.monotonic()
        outcomes = _done(workers, jobs)
        wall_s = time.monotonic() - began_s
    shutil.rmtree(jobs[0].out)
    cpu_s, busy_s = (sum(values) for values in zip(*((o.cpu_s, o.wall_s) for o in outcomes), strict=True))
    return Trial(count, wall_s, cpu_s, busy_s, sum(outcome.summary.images for outcome in outcomes))


def _cost(opened: Callable[[], Executor], job: Job) -> float:
    """The part of the time in which the executor's hands were not at work, though there was some."""
    with open_store(job.out), contextlib.closing(opened()) as executor:
        tasks = [dataclasses.replace(job, number=number) for number in range(TASKS)]
        _done(executor, tasks[:HANDS])  # starts their processes
        began_s = time.monotonic()
        busy_s = sum(outcome.wall_s for outcome in _done(executor, tasks))
        return 1 - busy_s / (HANDS * (time.monotonic() - began_s))


def _done(executor: Executor, jobs: Sequence[Job]) -> list[Outcome]:
    """The outcomes of ``jobs``, each of which begins as soon as there is room."""
    waiting_jobs, running, outcomes = list(reversed(jobs)), 0, []
    while waiting_jobs or running:
        while waiting_jobs and running < executor.size:
            executor.submit(waiting_jobs.pop())
            running += 1
        ended = [event.outcome for event in executor.events(1.0) if event.outcome is not None]
        running -= len(ended)
        outcomes += ended
    return outcomes


@contextlib.contextmanager
def _on_cores(count: int) -> Iterator[None]:
    """Only ``count`` cores for the processes that are started within."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
