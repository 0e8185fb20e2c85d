# SPDX-License-Identifier: Apache-2.0
"""One input in whichever process: its result in the store, or the reason why there is none."""

from __future__ import annotations

import contextlib
import dataclasses
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hmr_ros.core.config import PipelineSettings
from hmr_ros.perception.pipeline import Pipeline
from hmr_ros.perception.shared import SharedParts
from hmr_ros.recording.tally import Summary
from hmr_ros.running.many.address import address, content_sha256
from hmr_ros.running.many.inputs import Input, Kind
from hmr_ros.running.many.outcome import Outcome, Status
from hmr_ros.running.many.store import Store, result_name
from hmr_ros.running.progress import Bar
from hmr_ros.running.request import OfRecording, Request
from hmr_ros.running.single import Assemble, Output, Run

Advance = Callable[[int], None]
"""Takes the number of images that were finished since the last call."""

NO_IMAGE = "no image could be read"

_PERIOD_S = 0.5
_PROBLEMS = 100


@dataclass(frozen=True)
class Job:
    """The input ``number`` of many, and what to do with it; ``content`` is its digest, "": not known yet.

    ``work`` is the digest of networks and settings, ``out`` the directory of the store. A chunk ``may_be_empty``:
    cameras pause.
    """

    number: int
    given: Input
    request: Request
    work: str
    out: Path
    content: str = ""
    may_be_empty: bool = False


def request_for(given: Input, request: Request) -> Request:
    """``request`` for one input: what goes with recordings alone, or not with photos, is left out of others."""
    request = dataclasses.replace(request, source=str(given.path))
    if given.kind is not Kind.RECORDING:
        saved = tuple(word for word in request.saved if word != "mcap")
        request = dataclasses.replace(request, recording=OfRecording(), saved=saved)
    if given.kind is Kind.PHOTOS:
        request = dataclasses.replace(request, excerpt=type(request.excerpt)(request.excerpt.every))
    return request


def do(job: Job, opened: Assemble, advance: Advance) -> Outcome:
    """Do ``job``, with networks that ``opened`` opens. Whatever goes wrong becomes the reason of the outcome."""
    progress, stopwatch = _Progress(advance), _Stopwatch()
    try:
        return _done(job, opened, progress, stopwatch)
    except Exception as err:  # one input among many: the others go on
        return stopwatch.stamped(Outcome(Status.FAILED, reason=_named(err), problems=progress.problems))


class KeptNetworks:
    """Opens networks as ``opened`` does, and keeps them open for the next input."""

    def __init__(self, opened: Assemble) -> None:
        self._assemble = opened
        self._parts = SharedParts()
        self._kept: list[tuple[PipelineSettings, Pipeline]] = []

    def __call__(self, settings: PipelineSettings, parts: SharedParts) -> Pipeline:
        """A pipeline whose people get the ids of ``parts``."""
        if not any(kept == settings for kept, _ in self._kept):
            self._kept.append((settings, self._assemble(settings, self._parts)))
        self._parts.ids = parts.ids
        return self._assemble(settings, self._parts)

    def close(self) -> None:
        """Close the networks."""
        for _, pipeline in self._kept:
            pipeline.close()
        self._kept.clear()


def _done(job: Job, opened: Assemble, progress: _Progress, stopwatch: _Stopwatch) -> Outcome:
    store = Store(job.out)
    content = job.content or content_sha256(job.given)
    at = address(content, job.work)
    if found := store.result(at):
        return store.outcome(found)
    with store.making(job.number) as partial:
        summary = Run(job.request, progress, opened).into(Output(partial)).summary
        if reason := _missing(summary, job):
            status = Status.INTERRUPTED if summary.interrupted else Status.FAILED
            return stopwatch.stamped(Outcome(status, content, "", reason, summary, progress.problems))
        name = result_name(job.given.path, at)
        outcome = stopwatch.stamped(Outcome(Status.DONE, content, name, "", summary, progress.problems))
        store.keep(partial, at, outcome, job.given.path)
    return outcome


def _missing(summary: Summary, job: Job) -> str:
    """Why the files of a run are no result, "" where they are one."""
    if summary.interrupted:
        return "stopped by a signal"
    is_empty = not summary.images and not (job.may_be_empty and not summary.unreadable)
    return NO_IMAGE if is_empty else ""


class _Progress:
    """Keeps what a run reports; tells now and then how many images are done."""

    def __init__(self, advance: Advance) -> None:
        self._advance = advance
        self._lines: list[str] = []
        self._count = 0
        self._told_s = time.monotonic()

    @property
    def problems(self) -> tuple[str, ...]:
        """The lines that were said, the first of them."""
        return tuple(self._lines)

    def say(self, text: str) -> None:
        """Keep a line."""
        if len(self._lines) < _PROBLEMS:
            self._lines.append(text)

    @contextlib.contextmanager
    def bar(self, count: int) -> Iterator[Bar]:
        """Counts images."""
        yield self
        self._tell()

    def update(self) -> None:
        """One image more."""
        self._count += 1
        if time.monotonic() - self._told_s >= _PERIOD_S:
            self._tell()

    def _tell(self) -> None:
        self._told_s = time.monotonic()
        count, self._count = self._count, 0
        if count:
            self._advance(count)


class _Stopwatch:
    """CPU time of this process, and time, since it was made."""

    def __init__(self) -> None:
        self._began_s, self._began_cpu_s = time.monotonic(), _cpu_s()

    def stamped(self, outcome: Outcome) -> Outcome:
        """``outcome`` with what it took until now."""
        wall_s, cpu_s = time.monotonic() - self._began_s, _cpu_s() - self._began_cpu_s
        return dataclasses.replace(outcome, cpu_s=round(cpu_s, 3), wall_s=round(wall_s, 3))


def _named(err: Exception) -> str:
    """The text of an error of ours; of others with its type, as it names no file."""
    if isinstance(err, (ValueError, OSError, RuntimeError, ImportError)):
        return str(err)
    return f"{type(err).__name__}: {err}"


def _cpu_s() -> float:
    """CPU time of this process so far, s."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
