# SPDX-License-Identifier: Apache-2.0
"""Following people in turns (perception/turns.py) while images come faster than the worker processes them."""

from __future__ import annotations

import time

from hmr_ros.core.temporal.backlog import Backlog
from hmr_ros.perception.pipeline import Pipeline, Result

_ROOM = 0.8
"""Fraction of the latency limit from which on there is no time to spare; as in core/temporal/shedding.py."""


class TurnTaking:
    """Sets ``Pipeline.in_turns``. Used by the worker thread alone: ``begin`` an image, then ``end`` it."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._backlog = Backlog()
        self._begun_s = self._ended_s = time.perf_counter()
        self._waited_s = 0.0

    def begin(self, begun_s: float, lingered_s: float) -> None:
        """An image will be processed, whose work began at ``begun_s``, by time.perf_counter.

        The worker could have worked on the one before it for ``lingered_s``, but waited for this one.
        """
        self._waited_s, self._begun_s = max(begun_s - self._ended_s - lingered_s, 0.0), begun_s
        self._pipeline.in_turns = self._backlog.is_behind

    def end(self, result: Result, latency_s: float, limit_s: float) -> None:
        """Its ``result`` is published, ``latency_s`` after the stamp; ``limit_s`` 0: there is no limit."""
        self._ended_s = time.perf_counter()
        spare_s = min(self._waited_s, max(_ROOM * limit_s - latency_s, 0.0)) if limit_s else self._waited_s
        self._backlog.observe(spare_s, self._ended_s - self._begun_s, saved_s(result))

    def was_late(self) -> None:
        """An image was not published, because it came, or would have come, later than the limit allows."""
        self._backlog.observe_late()


def saved_s(result: Result) -> float:
    """What it would have taken to look at the people who were skipped: as much as those who were not, each."""
    looked = int((result.bodies.unseen_s == 0).sum())
    return result.skipped * (result.timings.detect_s + result.timings.estimate_s) / max(looked, 1)
