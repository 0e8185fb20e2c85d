# SPDX-License-Identifier: Apache-2.0
"""Many inputs from beginning to end: what is done is found, the rest is done, and a report says what came of it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hmr_ros.running.many import chunks, report
from hmr_ros.running.many.address import address, look, work_sha256
from hmr_ros.running.many.assembling import Assembling
from hmr_ros.running.many.chunks import Chunking
from hmr_ros.running.many.inputs import Input, Kind, find
from hmr_ros.running.many.job import Job, request_for
from hmr_ros.running.many.outcome import Outcome, Row, Status
from hmr_ros.running.many.report import Totals
from hmr_ros.running.many.schedule import Finished, Pace, Requested, Schedule
from hmr_ros.running.many.store import Store, open_store
from hmr_ros.running.many.workers import Executor
from hmr_ros.running.progress import Bar
from hmr_ros.running.request import Request, check_together

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """Which inputs: ``sources``, as the command line names them; where the results go, how often failed inputs are
    tried again, and whether long ones are done in chunks.
    """

    sources: Sequence[str]
    out: Path
    retries: int = 1
    chunking: Chunking | None = None


@dataclass(frozen=True)
class Finale:
    """What all came to, the files of the report, and whether it was stopped."""

    totals: Totals
    report: tuple[Path, ...]
    interrupted: bool


class Many:
    """A call over many inputs. ``say`` takes each line, ``bars`` opens a bar of so many inputs."""

    def __init__(self, plan: Plan, request: Request, say: Say, bars: Callable[[int], Bars]) -> None:
        self._plan = plan
        self._request = request
        self._say = say
        self._bars = bars
        self._began_s = time.monotonic()
        self._footage_s = 0.0

    def run(self, executors: Callable[[], Executor], stopping: Requested) -> Finale:
        """Have what ``executors`` opens do what is not done. Raises ValueError or OSError before any work."""
        check_together(self._request)
        if self._plan.chunking is not None:
            chunks.check(self._request)
        inputs = find(self._plan.sources, self._plan.out)
        with open_store(self._plan.out) as opened:
            jobs = list(self._jobs(inputs, opened))
            rows = {job.number: _row(job, outcome) for job, outcome in self._found(jobs, opened)}
            left = [job for job in jobs if job.number not in rows]
            self._say(f"{len(inputs)} inputs, {len(rows)} of them done before")
            if left:
                parts = Assembling(left, self._plan.chunking, opened)
                with contextlib.closing(executors()) as executor:
                    schedule = Schedule(executor, parts.jobs, self._plan.retries, stopping)
                    rows |= self._worked(schedule, parts, left, opened)
            in_order = [rows.get(job.number) or _row(job, Outcome(Status.INTERRUPTED)) for job in jobs]
            wall_s = time.monotonic() - self._began_s
            files = report.write(in_order, wall_s, opened.path)
        return Finale(report.totals(in_order, wall_s), tuple(files), stopping.requested)

    def _jobs(self, inputs: Sequence[Input], opened: Store) -> Iterator[Job]:
        """A job for each input, with the digest of its content where a look at it shows that it is known."""
        work: dict[Kind, str] = {}
        contents = opened.known_contents()
        for number, given in enumerate(inputs):
            request = request_for(given, self._request)
            if given.kind not in work:
                work[given.kind] = work_sha256(request, self._plan.chunking)
            with contextlib.suppress(OSError):  # the job says what is wrong
                content = contents.get(look(given), "")
            yield Job(number, given, request, work[given.kind], opened.path.absolute(), content)

    def _found(self, jobs: Sequence[Job], opened: Store) -> Iterator[tuple[Job, Outcome]]:
        """The jobs whose results are there."""
        results = opened.results()
        for job in jobs:
            name = results.get(address(job.content, job.work), "") if job.content else ""
            if name:
                yield job, opened.outcome(name)

    def _worked(self, schedule: Schedule, parts: Assembling, jobs: Sequence[Job], opened: Store) -> dict[int, Row]:
        """What comes of ``jobs``."""
        rows: dict[int, Row] = {}
        pace = Pace(len(jobs))
        with self._bars(len(jobs)) as bar:
            for ended in schedule.finished():
                if ended is not None and (finished := parts.whole(ended)) is not None:
                    self._note(finished, opened, pace)
                    if not finished.again:
                        rows[finished.job.number] = _row(finished.job, finished.outcome, finished.attempts)
                        bar.update()
                    self._report(finished, f"{len(rows)}/{len(jobs)}", pace.text(schedule.images, self._footage_s))
        return rows

    def _note(self, finished: Finished, opened: Store, pace: Pace) -> None:
        outcome = finished.outcome
        if outcome.content and not finished.job.content:
            with contextlib.suppress(OSError):  # the input is gone meanwhile
                opened.note_content(look(finished.job.given), outcome.content)
        if outcome.status is Status.DONE:
            self._footage_s += outcome.summary.footage_s
        if not finished.again:
            pace.count(worked=outcome.status is not Status.FOUND)

    def _report(self, finished: Finished, count: str, pace: str) -> None:
        outcome, path = finished.outcome, finished.job.given.path
        if outcome.result:
            summary = outcome.summary
            more = f", {summary.unreadable} could not be read" if summary.unreadable else ""
            before = " (done before)" if outcome.status is Status.FOUND else ""
            self._say(f"{count} {path}{before}: {summary.images} images, {summary.people} people{more}; {pace}")
        else:
            more = "; it is tried again" if finished.again else ""
            self._say(f"{count} {path} failed: {outcome.reason}{more}")


Bars = contextlib.AbstractContextManager[Bar]


def _row(job: Job, outcome: Outcome, attempts: int = 0) -> Row:
    return Row(str(job.given.path), job.given.kind.value, outcome, attempts)
