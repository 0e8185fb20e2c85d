# SPDX-License-Identifier: Apache-2.0
"""Counts of received, processed and dropped images: kept by the threads that handle them, read by diagnostics.

Nothing here imports ROS. ``input`` and ``node`` both count, so this file stands below both, beside ``wire``.
"""

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
"""Period that rates and percentiles are computed over, s."""

_CAPACITY = 2000
"""More images than any camera sends in ``WINDOW_S``."""


class Drop(StrEnum):
    """Why a received image was not processed. Reasons that lie in the message itself: input.images.BadImageReason."""

    REPLACED = "replaced_by_newer"
    TOO_OLD = "too_old"
    OUT_OF_ORDER = "out_of_order"
    NO_STAMP = "no_stamp"
    REPEATED_STAMP = "repeated_stamp"
    STRAY_STAMP = "stray_stamp"
    """Far from that of the image before it; the next image, if it agrees, starts another time."""
    FUTURE_STAMP = "future_stamp"
    RATE_LIMIT = "rate_limit"
    ENGINE_FAILED = "engine_failed"
    INTERNAL_ERROR = "internal_error"
    WOULD_BE_LATE = "would_be_late"
    """Even with all work shed that can be; see core/temporal/shedding.py."""
    NO_TRANSFORM = "no_transform"
    """The image was processed, but without a transform into the frame that planners or RViz get people in."""


STAMP_DROPS = frozenset({Drop.NO_STAMP, Drop.REPEATED_STAMP, Drop.STRAY_STAMP, Drop.FUTURE_STAMP})
"""What is wrong with the camera's clock or driver: diagnostics warn of it."""


@dataclass(frozen=True)
class Explained:
    """A dropped image: when, monotonic s, the reason that is counted, and the cause and remedy in words."""

    at_s: float
    reason: str
    explanation: str

    def __str__(self) -> str:
        return f"images are dropped ({self.reason}): {self.explanation}"


@dataclass(frozen=True)
class Disagreement:
    """Distance between the joints of two methods, relative to the pelvis, m, of the person it is largest for.

    Mean and maximum over the joints; NaN where nothing was compared.
    """

    mean_m: float = np.nan
    largest_m: float = np.nan

    @staticmethod
    def about(bodies: Bodies) -> Disagreement:
        """From ``bodies.disagreement`` (P, 24) m of one image."""
        compared = bodies.disagreement[np.isfinite(bodies.disagreement).all(1)]
        if len(compared) == 0:
            return Disagreement()
        worst = compared[compared.mean(1).argmax()]
        return Disagreement(float(worst.mean()), float(worst.max()))


@dataclass(frozen=True)
class Processed:
    """One processed image: its times, the people in it, and what was published of it.

    ``at_s``: when it was finished, monotonic s. ``latency_s``: from its stamp until it was published. ``timings``: the
    steps of the pipeline; ``overhead_s``: decoding, converting and publishing. ``shed``: the work that was left out.
    Of the ``people``, ``metric`` have a position, ``measured`` have one measured by depth and ``grounded`` one by their
    contact with the ``ground``, which is in words, "" where none is asked for; ``tentative`` and
    ``coasting`` are in these states, ``skipped`` were not looked at; ``limit_violations`` of their joint angles are
    beyond the limits of the URDF.
    ``output_problem``: which output could not be published, and why; ``latency_problem``: why ``max_latency_ms`` is not
    kept; "" when none.
    """

    at_s: float
    latency_s: float
    timings: Timings
    overhead_s: float
    people: int
    metric: int
    disagreement: Disagreement = Disagreement()
    measured: int = 0
    grounded: int = 0
    ground: str = ""
    shed: str = "nothing"
    tentative: int = 0
    coasting: int = 0
    skipped: int = 0
    limit_violations: int = 0
    output_problem: str = ""
    latency_problem: str = ""


@dataclass(frozen=True)
class Recent:
    """The last WINDOW_S: number of images ``received``, those ``processed``; ``drops`` by reason since the start."""

    received: int
    processed: tuple[Processed, ...]
    drops: Mapping[str, int]

    @property
    def disagreement_m(self) -> float:
        """Median over images of the mean distance between two methods' joints, m; NaN: nothing was compared."""
        return known_median([p.disagreement.mean_m for p in self.processed])


@dataclass
class Monitor:
    """Counts what happens to images. Every method may be called from any thread."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _received: deque[float] = field(default_factory=lambda: deque(maxlen=_CAPACITY))
    _processed: deque[Processed] = field(default_factory=lambda: deque(maxlen=_CAPACITY))
    _drops: Counter[str] = field(default_factory=Counter)
    _last_processed: Processed | None = None
    _last_explained: Explained | None = None
    received_count: int = 0

    def receive(self) -> None:
        """Count an image message that arrived."""
        with self._lock:
            self._received.append(time.monotonic())
            self.received_count += 1

    def drop(self, reason: str, explanation: str = "") -> None:
        """Count an image that was dropped, or an input that it went without (depth.DepthGap)."""
        with self._lock:
            self._drops[reason] += 1
            if explanation:
                self._last_explained = Explained(time.monotonic(), reason, explanation)

    def process(self, processed: Processed) -> None:
        """Record an image whose bodies were published."""
        with self._lock:
            self._processed.append(processed)
            self._last_processed = processed

    def drops(self) -> dict[str, int]:
        """Number of drops since the start, by reason."""
        with self._lock:
            return dict(self._drops)

    def last_received_s(self) -> float:
        """Monotonic time at which the last image arrived, s; -inf before the first."""
        with self._lock:
            return self._received[-1] if self._received else float("-inf")

    def last_processed(self) -> Processed | None:
        """The last processed image; None before the first."""
        with self._lock:
            return self._last_processed

    def last_explained(self) -> Explained | None:
        """The last drop with an explanation, if it was in the last ``WINDOW_S``."""
        with self._lock:
            last = self._last_explained
            return last if last is not None and last.at_s >= time.monotonic() - WINDOW_S else None

    def recent(self) -> Recent:
        """What happened in the last ``WINDOW_S``; forgets what is older."""
        with self._lock:
            since = time.monotonic() - WINDOW_S
            received = sum(at >= since for at in self._received)
            while len(self._received) > 1 and self._received[0] < since:
                self._received.popleft()  # the newest stays: last_received_s needs it
            while self._processed and self._processed[0].at_s < since:
                self._processed.popleft()
            return Recent(received, tuple(self._processed), dict(self._drops))


def known_median(values: list[float]) -> float:
    """Median of the finite ``values``; NaN when there are none."""
    known = [value for value in values if np.isfinite(value)]
    return float(np.median(known)) if known else float("nan")
