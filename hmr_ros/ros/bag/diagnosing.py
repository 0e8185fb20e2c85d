# SPDX-License-Identifier: Apache-2.0
"""/diagnostics of a recording, once a second of its time: what depends on the recording alone, not on the machine."""

from __future__ import annotations

from collections.abc import Mapping

from hmr_ros.core.people import State
from hmr_ros.recording.entry import Entry
from hmr_ros.ros.bag.publishing import Clock, FilePublishers
from hmr_ros.ros.output.publishing import Qos
from hmr_ros.ros.wire.cdr import Stamp
from hmr_ros.ros.wire.messages import header
from hmr_ros.ros.wire.types import DiagnosticArray, DiagnosticStatus, KeyValue

_PERIOD_NS = 1_000_000_000


class Diagnosing:
    """Publishes the status "hmr: bodies" of one camera; ``drops`` counts its images that were left out."""

    def __init__(self, publishers: FilePublishers, clock: Clock, drops: Mapping[str, int]) -> None:
        self._publisher = publishers.create(DiagnosticArray, "/diagnostics", Qos(1))
        self._name = f"{publishers.namespace.lstrip('/')}/hmr".lstrip("/")
        self._clock = clock
        self._drops = drops
        self._since_ns = -1
        self._received = self._processed = 0
        self._last: Entry | None = None

    def observe(self, log_ns: int, entry: Entry | None) -> None:
        """Count an image; None: it was left out."""
        if self._since_ns < 0:
            self._since_ns = log_ns
        self._received += 1
        if entry is not None:
            self._processed, self._last = self._processed + 1, entry
        if log_ns - self._since_ns >= _PERIOD_NS:
            self._publish(log_ns)

    def end(self) -> None:
        """Publish what is not published yet."""
        if self._received:
            self._publish(self._clock.log_ns)

    def _publish(self, log_ns: int) -> None:
        self._clock.log_ns = log_ns
        status = DiagnosticStatus(
            level=DiagnosticStatus.OK if self._processed else DiagnosticStatus.WARN,
            name=f"{self._name}: bodies",
            hardware_id=self._name,
            message="running" if self._processed else "no image could be read",
            values=[KeyValue(key=key, value=value) for key, value in self._rows()],
        )
        stamp = Stamp(*divmod(log_ns, 1_000_000_000))
        self._publisher.publish(DiagnosticArray(header=header(stamp, ""), status=[status]))
        self._since_ns, self._received, self._processed = log_ns, 0, 0

    def _rows(self) -> list[tuple[str, str]]:
        rows = [("images received", str(self._received)), ("images processed", str(self._processed))]
        if self._last is not None:
            bodies = self._last.bodies
            rows += [
                ("people", str(len(bodies))),
                ("people tentative", str(int((bodies.states == State.TENTATIVE).sum()))),
                ("people coasting", str(int((bodies.states == State.COASTING).sum()))),
                ("people with a position", str(int(bodies.valid.sum()))),
            ]
        return [*rows, *((f"dropped: {reason}", str(count)) for reason, count in sorted(self._drops.items()))]
