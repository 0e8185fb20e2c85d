# SPDX-License-Identifier: Apache-2.0
"""The table at the end of a demo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.people import State
from hmr_ros.core.skeleton import SMPL
from hmr_ros.ros.player.recorder import Moment


@dataclass(frozen=True, eq=False)
class Report:
    """The figures of a run; ``str`` is the table. ``ids``: number of different people."""

    moments: Sequence[Moment]
    image_count: int
    rates_hz: Mapping[str, float]
    memory_mib: Mapping[str, float]
    ids: int

    def rows(self) -> list[tuple[str, str]]:
        """Label and value of each line."""
        latency_ms = np.array([moment.latency_s for moment in self.moments]) * 1e3
        seen = [[b for b in moment.message.bodies if b.state == State.TRACKED] for moment in self.moments]
        people = [len(bodies) for bodies in seen]
        fraction = sum(body.valid for bodies in seen for body in bodies) / max(sum(people), 1)
        return [
            ("method", self.moments[0].message.method),
            (
                "people seen",
                f"{self.ids} ids, at most {max(people, default=0)} at once, {fraction:.0%} with a position",
            ),
            ("images", f"{len(self.moments)} processed of {self.image_count} played"),
            *((f"rate of {topic}", f"{rate:.1f} Hz") for topic, rate in self.rates_hz.items()),
            (
                "latency stamp to published",
                f"p50 {np.percentile(latency_ms, 50):.0f} ms, p99 {np.percentile(latency_ms, 99):.0f} ms",
            ),
            *_disagreement(self.moments),
            *((f"peak memory of the {name}", f"{mib:.0f} MiB") for name, mib in self.memory_mib.items()),
        ]

    def __str__(self) -> str:
        rows = self.rows()
        width = max(len(label) for label, _ in rows)
        return "\n".join(f"  {label:{width}}  {value}" for label, value in rows)


def disagreements(moments: Sequence[Moment]) -> Floats:
    """(N, 24) m between the joints of two methods for the people of all moments for whom both ran."""
    bodies = [body for moment in moments for body in moment.message.bodies]
    distances = [body.disagreement for body in bodies if len(body.disagreement)]
    return np.array(distances, np.float64).reshape(-1, SMPL.size)


def _disagreement(moments: Sequence[Moment]) -> list[tuple[str, str]]:
    """The line on disagreement, where two methods ran."""
    if not len(distances := disagreements(moments)):
        return []
    of_person = 1e3 * distances.mean(1)
    return [("methods disagree", f"p50 {np.median(of_person):.0f} mm, p90 {np.percentile(of_person, 90):.0f} mm")]
