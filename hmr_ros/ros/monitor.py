# SPDX-License-Identifier: Apache-2.0
"""What happens to images: counted by the threads that receive and process them, read by who reports it."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from hmr_ros.core.people import Bodies
from hmr_ros.perception.pipeline import Timings

WINDOW_S = 5.0
"""Rates and percentiles are of the last so many seconds."""

_MOST_KEPT = 2000
"""More images than any camera sends in that time."""


class Drop(StrEnum):
    """Why a received image was not processed; reasons that lie in the image itself are images.BadImageReason."""

    REPLACED = "replaced_by_newer"
    TOO_OLD = "too_old"
    OUT_OF_ORDER = "out_of_order"
    RATE_LIMIT = "rate_limit"
    ENGINE_FAILED = "engine_failed"
    INTERNAL_ERROR = "internal_error"
    WOULD_BE_LATE = "would_be_late"
    """With all work shed that can be; see core/temporal/shedding.py."""
    NO_TRANSFORM = "no_transform"
    """The image was processed, but planners got nothing of it."""


@dataclass(frozen=True)
class Disagreement:
    """How far two methods' joints lie apart, m, on the person of an image they disagree most about.

    Mean and largest distance of the joints, relative to the pelvis; NaN where nothing was compared.
    """

    mean_m: float = np.nan
    largest_m: float = np.nan

    @staticmethod
    def about(bodies: Bodies) -> Disagreement:
        """About the people of one image."""
        compared = bodies.disagreement[np.isfinite(bodies.disagreement).all(1)]
        if len(compared) == 0:
            return Disagreement()
        worst = compared[compared.mean(1).argmax()]
        return Disagreement(float(worst.mean()), float(worst.max()))


@dataclass(frozen=True)
class Processed:
    """One finished image: when (monotonic s), stamp -> published, steps, and all else done to it, s; the people in it.

    ``metric`` of the ``people`` have a position, ``measured`` of them one by depth. ``overhead_s`` is what decoding,
    converting and publishing took; ``shed`` names the work that was left out. Of the ``people``, ``tentative`` and
    ``coasting`` are in these states; ``limit_violations`` of their joint angles are beyond what joints reach.
    """

    at_s: float
    latency_s: float
    timings: Timings
    overhead_s: float
    people: int
    metric: int
    disagreement: Disagreement = Disagreement()
    measured: int = 0
    shed: str = "nothing"
    tentative: int = 0
    coasting: int = 0
    limit_violations: int = 0


@dataclass(frozen=True)
class Recent:
    """The last WINDOW_S: how many images were ``received``, which were ``processed``; ``drops`` from the start."""

    received: int
    processed: tuple[Processed, ...]
    drops: Mapping[str, int]

    @property
    def disagreement_m(self) -> float:
        """Median of the mean distances between two methods' joints, m; NaN: nothing was compared."""
        return known_median([p.disagreement.mean_m for p in self.processed])


@dataclass
class Monitor:
    """Counts what happens to images. Every method may be called from any thread."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _received: deque[float] = field(default_factory=lambda: deque(maxlen=_MOST_KEPT))
    _processed: deque[Processed] = field(default_factory=lambda: deque(maxlen=_MOST_KEPT))
    _drops: Counter[str] = field(default_factory=Counter)
    _last_processed_s: float = float("-inf")
    received_count: int = 0

    def receive(self) -> None:
        """An image message arrived."""
        with self._lock:
            self._received.append(time.monotonic())
            self.received_count += 1

    def drop(self, reason: str) -> None:
        """An image was dropped."""
        with self._lock:
            self._drops[reason] += 1

    def process(self, processed: Processed) -> None:
        """An image was processed and its bodies were published."""
        with self._lock:
            self._processed.append(processed)
            self._last_processed_s = processed.at_s

    def drops(self) -> dict[str, int]:
        """Drops so far, by reason."""
        with self._lock:
            return dict(self._drops)

    def last_received_s(self) -> float:
        """Monotonic time of the last image, s; -inf before the first."""
        with self._lock:
            return self._received[-1] if self._received else float("-inf")

    def last_processed_s(self) -> float:
        """Monotonic time at which the last image was finished, s; -inf before the first."""
        with self._lock:
            return self._last_processed_s

    def recent(self) -> Recent:
        """The last seconds."""
        with self._lock:
            since = time.monotonic() - WINDOW_S
            received = sum(at >= since for at in self._received)
            while len(self._received) > 1 and self._received[0] < since:
                self._received.popleft()  # the newest stays: last_received_s needs it
            while self._processed and self._processed[0].at_s < since:
                self._processed.popleft()
            return Recent(received, tuple(self._processed), dict(self._drops))


def known_median(values: list[float]) -> float:
    """Of those that are known; NaN when none is."""
    known = [value for value in values if np.isfinite(value)]
    return float(np.median(known)) if known else float("nan")
