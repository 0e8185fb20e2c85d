"""The table at the end of a demo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hmr_ros.ros.recorder import Moment


@dataclass(frozen=True, eq=False)
class Report:
    """What a run amounted to; ``str`` is the table. ``ids`` counts different people."""

    moments: Sequence[Moment]
    image_count: int
    rates_hz: Mapping[str, float]
    memory_mib: Mapping[str, float]
    ids: int

    def rows(self) -> list[tuple[str, str]]:
        """Label and value of each line."""
        latency_ms = np.array([moment.latency_s for moment in self.moments]) * 1e3
        people = [len(moment.message.bodies) for moment in self.moments]
        positions = sum(body.valid for moment in self.moments for body in moment.message.bodies)
        share = positions / max(sum(people), 1)
        return [
            ("people seen", f"{self.ids} ids, at most {max(people, default=0)} at once, {share:.0%} with a position"),
            ("images", f"{len(self.moments)} processed of {self.image_count} played"),
            *((f"rate of {topic}", f"{rate:.1f} Hz") for topic, rate in self.rates_hz.items()),
            (
                "latency stamp to published",
                f"p50 {np.percentile(latency_ms, 50):.0f} ms, p99 {np.percentile(latency_ms, 99):.0f} ms",
            ),
            *((f"peak memory of the {name}", f"{mib:.0f} MiB") for name, mib in self.memory_mib.items()),
        ]

    def __str__(self) -> str:
        rows = self.rows()
        width = max(len(label) for label, _ in rows)
        return "\n".join(f"  {label:{width}}  {value}" for label, value in rows)
