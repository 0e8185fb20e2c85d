# SPDX-License-Identifier: Apache-2.0
"""Feeds targets with broken input, and reports what is neither a result nor a named error."""

from __future__ import annotations

import time
import traceback
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings

from hmr_ros.bench.fuzz.targets import Target


@dataclass(frozen=True)
class Find:
    """An input that a target neither read nor refused by name: the smallest that was found, and its traceback."""

    data: bytes
    trace: str


@dataclass(frozen=True)
class Outcome:
    """What became of the inputs of one target: how many were ``read`` and ``refused``, the longest time, s."""

    target: str
    read: int
    refused: int
    longest_s: float
    find: Find | None


class _Reading:
    """Reads inputs, and counts what becomes of them."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.read = self.refused = 0
        self.longest_s = 0.0
        self.last = b""

    def __call__(self, data: bytes) -> None:
        """Read ``data``; raises whatever is no refusal."""
        self.last, started_s = data, time.perf_counter()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                self._target.read(data)
            self.read += 1
        except self._target.refusals:
            self.refused += 1
        finally:
            self.longest_s = max(self.longest_s, time.perf_counter() - started_s)


def run(targets: Iterable[Target], inputs: int, number: int) -> Iterator[Outcome]:
    """Feed ``targets`` with ``inputs`` in all, by their shares; ``number`` seeds them."""
    targets = list(targets)
    shares = sum(target.share for target in targets)
    for target in targets:
        yield _attacked(target, max(round(inputs * target.share / shares), 1), number)


def _attacked(target: Target, inputs: int, number: int) -> Outcome:
    reading, find = _Reading(target), None
    attack = given(target.inputs)(lambda data: reading(data))
    attack = seed(number)(
        settings(
            max_examples=inputs,
            database=None,
            deadline=None,
            report_multiple_bugs=False,
            verbosity=Verbosity.quiet,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )(attack)
    )
    try:
        attack()
    except Exception:  # whatever a reader may raise is what is looked for
        find = Find(reading.last, traceback.format_exc())
    return Outcome(target.name, reading.read, reading.refused, reading.longest_s, find)
