"""What the node tells about itself: rates, latencies, drops by reason, who is followed, what hinders it."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from hmr_ros.core.people import Bodies
from hmr_ros.engines.switching import EngineState
from hmr_ros.perception.pipeline import Timings

_WINDOW_S = 5.0
"""Rates and percentiles are of the last so many seconds."""

_MOST_KEPT = 2000
"""More images than any camera sends in that time."""


OVERHEAD = "overhead p50 [ms]"
OVERHEAD_P99 = "overhead p99 [ms]"
"""Keys of the time that the node itself takes: everything but the pipeline."""


class Drop(StrEnum):
    """Why a received image was not processed; reasons that lie in the image itself are images.BadImageReason."""

    REPLACED = "replaced_by_newer"
    TOO_OLD = "too_old"
    OUT_OF_ORDER = "out_of_order"
    RATE_LIMIT = "rate_limit"
    ENGINE_FAILED = "engine_failed"
    INTERNAL_ERROR = "internal_error"
    WOULD_BE_LATE = "would_be_late"
    """With all work shed that can be; see core/shedding.py."""
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
class Health:
    """What the node knows about its input at this moment; ``problem`` is empty when all is well."""

    problem: str = ""
    fatal: bool = False

    @property
    def level(self) -> bytes:
        """OK, WARN or, where what is published is of another time, ERROR."""
        level: bytes = DiagnosticStatus.ERROR if self.fatal else DiagnosticStatus.WARN
        return level if self.problem else DiagnosticStatus.OK


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

    def drop(self, reason: str) -> int:
        """An image was dropped; returns how many were for this reason."""
        with self._lock:
            self._drops[reason] += 1
            return self._drops[reason]

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

    def disagreement_m(self) -> float:
        """Median of the last seconds' mean distances between two methods' joints, m; NaN: nothing was compared."""
        with self._lock:
            since = time.monotonic() - _WINDOW_S
            return _median([p.disagreement.mean_m for p in self._processed if p.at_s >= since])

    def status(self, name: str, hardware_id: str, health: Health) -> DiagnosticStatus:
        """The state of the last seconds as one diagnostic status."""
        with self._lock:
            since = time.monotonic() - _WINDOW_S
            received = sum(at >= since for at in self._received)
            while len(self._received) > 1 and self._received[0] < since:
                self._received.popleft()  # the newest stays: last_received_s needs it
            while self._processed and self._processed[0].at_s < since:
                self._processed.popleft()
            values = [*_rates(received, list(self._processed)), *_drop_rows(self._drops)]
        return _status(name, hardware_id, health.level, health.problem or "running", values)


def engines_status(
    name: str, hardware_id: str, facts: Iterable[tuple[str, str]], states: Mapping[str, EngineState]
) -> DiagnosticStatus:
    """What runs the networks, in the words of ``facts``; a warning while a network is not ready."""
    for state, message in (
        (EngineState.FAILED, "could not be built: another engine answers"),
        (EngineState.BUILDING, "being built: the CPU answers meanwhile"),
    ):
        if concerned := [network for network, of_network in states.items() if of_network is state]:
            return _status(name, hardware_id, DiagnosticStatus.WARN, f"{', '.join(concerned)}: {message}", facts)
    message = EngineState.READY if states else "no networks are loaded"
    return _status(name, hardware_id, DiagnosticStatus.OK, message, facts)


def connections_status(name: str, hardware_id: str, mismatches: Sequence[str]) -> DiagnosticStatus:
    """A warning while somebody's QoS keeps messages from going through."""
    rows = [(f"incompatible QoS {number}", text) for number, text in enumerate(mismatches, 1)]
    if not rows:
        return _status(name, hardware_id, DiagnosticStatus.OK, "all QoS is compatible", rows)
    return _status(name, hardware_id, DiagnosticStatus.WARN, f"{len(rows)} with incompatible QoS", rows)


def _status(
    name: str, hardware_id: str, level: bytes, message: str, rows: Iterable[tuple[str, str]]
) -> DiagnosticStatus:
    values = [KeyValue(key=key, value=value) for key, value in rows]
    return DiagnosticStatus(level=level, name=name, hardware_id=hardware_id, message=message, values=values)


def _rates(received: int, processed: list[Processed]) -> list[tuple[str, str]]:
    rows = [
        ("images received [Hz]", f"{received / _WINDOW_S:.1f}"),
        ("images processed [Hz]", f"{len(processed) / _WINDOW_S:.1f}"),
    ]
    if not processed:
        return rows
    latency = np.array([p.latency_s for p in processed]) * 1e3
    for percentile in (50, 95, 99):
        rows.append((f"latency stamp to published p{percentile} [ms]", f"{np.percentile(latency, percentile):.1f}"))
    for step in ("detect", "track", "recover", "smooth"):
        took = np.median([getattr(p.timings, f"{step}_s") for p in processed]) * 1e3
        rows.append((f"{step} p50 [ms]", f"{took:.1f}"))
    overhead = np.array([p.overhead_s for p in processed]) * 1e3
    rows += [(OVERHEAD, f"{np.median(overhead):.2f}"), (OVERHEAD_P99, f"{np.percentile(overhead, 99):.2f}")]
    rows.append(("left out to be in time", processed[-1].shed))
    last = processed[-1]
    rows.append(("people", str(last.people)))
    rows.append(("people tentative", str(last.tentative)))
    rows.append(("people tracked", str(last.people - last.tentative - last.coasting)))
    rows.append(("people coasting", str(last.coasting)))
    rows.append(("people with a position", str(last.metric)))
    rows.append(("people measured by depth", str(last.measured)))
    violations = sum(p.limit_violations for p in processed) / _WINDOW_S
    rows.append(("joint angles beyond their limits [1/s]", f"{violations:.1f}"))
    for joints in ("mean", "largest"):
        distance = _median([getattr(p.disagreement, f"{joints}_m") for p in processed])
        if np.isfinite(distance):
            rows.append((f"disagreement of methods, {joints} of joints p50 [m]", f"{distance:.3f}"))
    return rows


def _median(values: list[float]) -> float:
    """Of those that are known; NaN when none is."""
    known = [value for value in values if np.isfinite(value)]
    return float(np.median(known)) if known else float("nan")


def _drop_rows(drops: Counter[str]) -> list[tuple[str, str]]:
    return [(f"dropped: {reason}", str(count)) for reason, count in sorted(drops.items())]
