# SPDX-License-Identifier: Apache-2.0
"""An image that the worker has processed and published, and what diagnostics report about it."""

from __future__ import annotations

import time
from dataclasses import dataclass

from hmr_ros.core.config import RobotConfig
from hmr_ros.core.geometry.ground import Ground
from hmr_ros.core.people import State
from hmr_ros.core.temporal.shedding import Shed
from hmr_ros.perception.pipeline import Result
from hmr_ros.ros.monitor import Disagreement, Processed
from hmr_ros.ros.output.outputs import Published
from hmr_ros.ros.wire.cdr import Stamp


@dataclass(frozen=True)
class PublishedWork:
    """The result of publishing an image, and how long all but mesh and overlay took, and they, s."""

    outputs: Published
    publish_s: float
    views_s: float


@dataclass(frozen=True, eq=False)
class Work:
    """An image that was processed and published: its ``stamp``, its age when the work started, and the results.

    ``started_s`` is the time of the start, by time.perf_counter.
    """

    stamp: Stamp
    age_s: float
    shed: Shed
    result: Result
    published: PublishedWork
    started_s: float


def processed(work: Work, latency_s: float, ground: str, late: str) -> Processed:
    """What diagnostics report about an image that was published ``latency_s`` after its stamp, and its ``ground``.

    ``late``: why it may be later than the limit allows.
    """
    bodies, published = work.result.bodies, work.published.outputs
    return Processed(
        at_s=time.monotonic(),
        latency_s=latency_s,
        timings=work.result.timings,
        overhead_s=time.perf_counter() - work.started_s - work.result.timings.total_s,
        people=len(bodies),
        metric=int(bodies.valid.sum()),
        measured=work.result.measured,
        grounded=work.result.grounded,
        ground=ground,
        shed=str(work.shed),
        disagreement=Disagreement.about(bodies),
        tentative=int((bodies.states == State.TENTATIVE).sum()),
        coasting=int((bodies.states == State.COASTING).sum()),
        skipped=work.result.skipped,
        limit_violations=published.limit_violations,
        output_problem=published.problem,
        latency_problem=late,
    )


def described(ground: Ground | None, config: RobotConfig) -> str:
    """The ``ground`` in words; "" where none is asked for."""
    if ground is not None:
        return str(ground)
    return "not known" if config.ground_frame or config.ground == "estimate" else ""
