# SPDX-License-Identifier: Apache-2.0
"""All threads or one for a network, whichever is faster at present.

Threads of one inference wait for each other. On a machine with cores to spare, two take little more than half the time
of one; where other programs want the cores, each wait lasts until the scheduler has had both of them run, and two take
twice the time of one, and spin meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from hmr_ros.core.arrays import Array
from hmr_ros.core.manifest import Manifest
from hmr_ros.engines.runtime import Engine

_WEIGHT = 1 / 8
"""Weight of the newest run in means."""

_TRIES = 3
"""Runs of a try; the first is not counted, as memory and caches are cold."""

_FIRST_TRY = 4
"""One thread is tried after so many runs."""

_SLOWER, _PAUSE = 1.3, 16
"""It is tried again where all threads take so many times their best mean, but not before so many runs."""

_CALM_EVERY = 64
"""While one thread runs the network, all are tried every so many runs: the load may be over."""

_FASTER = 0.9
"""Minimum gain, as a ratio of durations, for which the choice changes."""


class ThreadChoice:
    """Decides run by run: ``next``, then ``took`` with its result. ``is_single``: the choice is one thread."""

    def __init__(self) -> None:
        self.is_single = False
        self._mean_s: dict[bool, float] = {}
        self._best_s = float("inf")
        self._runs = 0
        self._is_first = True
        self._tries = 0

    def next(self) -> bool:
        """Whether the next run is in one thread."""
        if self._tries == 0 and self._is_due():
            self._tries, self._runs, self._is_first = _TRIES, 0, False
            self._mean_s.pop(not self.is_single, None)
        self._runs += 1
        return self.is_single != (self._tries > 0)

    def took(self, is_single: bool, seconds: float) -> None:
        """Learn what a run took, s per row of its batch."""
        if self._tries == 0:
            self._add(is_single, seconds)
            self._best_s = min(self._best_s, self._mean_s[is_single])
            return
        if self._tries < _TRIES:
            self._add(is_single, seconds)
        self._tries -= 1
        if self._tries == 0 and self._mean_s[is_single] < _FASTER * self._mean_s[self.is_single]:
            self.is_single, self._best_s = is_single, self._mean_s[is_single]

    def _is_due(self) -> bool:
        """Whether to try the other choice now."""
        if self._is_first:
            return self._runs >= _FIRST_TRY
        if self.is_single:
            return self._runs >= _CALM_EVERY
        return self._runs >= _PAUSE and self._mean_s[False] > _SLOWER * self._best_s

    def _add(self, is_single: bool, seconds: float) -> None:
        mean_s = self._mean_s.get(is_single, seconds)
        self._mean_s[is_single] = mean_s + _WEIGHT * (seconds - mean_s)


class AdaptiveEngine:
    """A network opened twice, with all ``threads`` and with one; each run takes the faster at present.

    Results of both are equal up to the order of sums, bit by bit for the shipped networks with two threads.
    """

    def __init__(self, opener: Callable[[int], Engine], threads: int) -> None:
        """``opener`` opens the network with a number of threads."""
        self._all, self._single = opener(threads), opener(1)
        self._choice = ThreadChoice()

    @property
    def manifest(self) -> Manifest:
        """What the network expects and returns."""
        return self._all.manifest

    @property
    def status(self) -> str:
        """What runs it at this moment."""
        return (self._single if self._choice.is_single else self._all).status

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Every output by name, for arrays that match the manifest's inputs. Raises EngineError."""
        is_single = self._choice.next()
        engine = self._single if is_single else self._all
        started_s = time.perf_counter()
        outputs = engine.run(inputs)
        rows = max((len(array) for array in inputs.values()), default=1)
        self._choice.took(is_single, (time.perf_counter() - started_s) / max(rows, 1))
        return outputs

    def close(self) -> None:
        """Free the network; ``run`` must not be called afterwards."""
        self._all.close()
        self._single.close()
