# SPDX-License-Identifier: Apache-2.0
"""Jobs that are done in chunks: which chunks, and the whole once all of them are there."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field

from hmr_ros.running.many.address import address, look, work_sha256
from hmr_ros.running.many.chunks import Chunking, excerpts, footage_s
from hmr_ros.running.many.job import NO_IMAGE, Job
from hmr_ros.running.many.merging import merge
from hmr_ros.running.many.outcome import Outcome, Status
from hmr_ros.running.many.schedule import Finished
from hmr_ros.running.many.store import CHUNKS, Store, result_name


@dataclass(eq=False)
class _Whole:
    """An input and its chunks; those that have ended, by their numbers."""

    job: Job
    chunks: tuple[Job, ...]
    ended: dict[int, Finished] = field(default_factory=dict)


class Assembling:
    """``jobs``, in chunks where there is a ``chunking`` and they are long enough for two."""

    def __init__(self, jobs: Sequence[Job], chunking: Chunking | None, store: Store) -> None:
        self._store = store
        self._wholes: dict[int, _Whole] = {}
        self.jobs: list[Job] = []
        """What is to be done."""
        numbers = itertools.count(1 + max((job.number for job in jobs), default=0))
        for job in jobs:
            chunks = _chunks(job, chunking, numbers) if chunking is not None else ()
            whole = _Whole(job, chunks)
            self._wholes |= {chunk.number: whole for chunk in chunks}
            self.jobs += chunks or [job]

    def whole(self, finished: Finished) -> Finished | None:
        """What ``finished`` is of a whole input; None while chunks of it are missing."""
        whole = self._wholes.get(finished.job.number)
        if whole is None:
            return finished
        if finished.again:
            return None
        whole.ended[finished.job.number] = finished
        if len(whole.ended) < len(whole.chunks):
            return None
        attempts = max(each.attempts for each in whole.ended.values())
        return Finished(whole.job, self._together(whole), attempts)

    def _together(self, whole: _Whole) -> Outcome:
        """The outcome of an input whose chunks have ended."""
        outcomes = [whole.ended[chunk.number].outcome for chunk in whole.chunks]
        cpu_s, wall_s = sum(each.cpu_s for each in outcomes), sum(each.wall_s for each in outcomes)
        problems = tuple(dict.fromkeys(line for each in outcomes for line in each.problems))
        whole_outcome = Outcome(Status.DONE, outcomes[0].content, problems=problems, cpu_s=cpu_s, wall_s=wall_s)
        if failed := [each for each in outcomes if not each.result]:
            reason = f"{len(failed)} of {len(outcomes)} chunks: {failed[0].reason}"
            return dataclasses.replace(whole_outcome, status=Status.FAILED, reason=reason)
        try:
            return self._merged(whole, outcomes, whole_outcome)
        except (OSError, ValueError, KeyError) as err:
            return dataclasses.replace(whole_outcome, status=Status.FAILED, reason=f"putting chunks together: {err}")

    def _merged(self, whole: _Whole, outcomes: Sequence[Outcome], outcome: Outcome) -> Outcome:
        """Keep the chunks as one result, and remove them."""
        directories = [chunk.out / each.result for chunk, each in zip(whole.chunks, outcomes, strict=True)]
        at = address(outcome.content, whole.job.work)
        with self._store.making(whole.job.number) as partial:
            summary = merge(directories, partial)
            unreadable = sum(each.summary.unreadable for each in outcomes)
            summary = dataclasses.replace(summary, unreadable=unreadable)
            if not summary.images:
                return dataclasses.replace(outcome, status=Status.FAILED, reason=NO_IMAGE, summary=summary)
            name = result_name(whole.job.given.path, at)
            outcome = dataclasses.replace(outcome, result=name, summary=summary)
            self._store.keep(partial, at, outcome, whole.job.given.path)
        for directory in directories:
            shutil.rmtree(directory, ignore_errors=True)
        return outcome


def _chunks(job: Job, chunking: Chunking, numbers: itertools.count[int]) -> tuple[Job, ...]:
    """The jobs of the chunks of ``job``; none where it has one chunk.

    Chunks are for this call and the next, so that a look at the input tells them apart; the first one reads the whole
    input for its digest.
    """
    asked = excerpts(footage_s(job.given), job.request.excerpt, chunking)
    if len(asked) < 2:
        return ()
    seen = ""
    with contextlib.suppress(OSError):  # the job says what is wrong
        seen = look(job.given)
    chunks: list[Job] = []
    for number, excerpt in zip(numbers, asked, strict=False):
        request = dataclasses.replace(job.request, excerpt=excerpt)
        content = seen if chunks else job.content
        chunks.append(
            Job(number, job.given, request, work_sha256(request), job.out / CHUNKS, content, may_be_empty=True)
        )
    return tuple(chunks)
