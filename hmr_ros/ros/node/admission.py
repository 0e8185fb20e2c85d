# SPDX-License-Identifier: Apache-2.0
"""Which images are processed, by their stamp alone: decided before anything is decoded."""

from __future__ import annotations

from dataclasses import dataclass

from hmr_ros.core.config import RobotConfig
from hmr_ros.ros.monitor import Drop
from hmr_ros.ros.wire.cdr import Stamp

_REORDERING_S = 0.5
"""An image older than the one before it, by less than this, was overtaken on its way. One that is older by more starts
another time, as a bag does that is played again."""


@dataclass(frozen=True)
class Rejection:
    """Why an image is not processed: the ``reason`` that diagnostics count, and an ``explanation`` for the log.

    Without an explanation nothing is logged: the user asked for what happened.
    """

    reason: Drop
    explanation: str = ""


def rejection(stamp: Stamp, last: Stamp, age_s: float, config: RobotConfig) -> Rejection | None:
    """Why not to process the image with ``stamp``; None: it is recent enough, in order, and within the rate.

    ``last`` is the stamp of the last processed image, ``age_s`` the time since ``stamp`` by the node's clock, s.
    """
    since_last_s = (stamp.nanoseconds - last.nanoseconds) * 1e-9
    if config.max_frame_age_s and age_s > config.max_frame_age_s:
        return Rejection(
            Drop.TOO_OLD,
            f"image is {age_s:.2f} s old, max_frame_age_s is {config.max_frame_age_s:g}. For a bag: play it with "
            "--clock and set use_sim_time, or set max_frame_age_s to 0",
        )
    if -_REORDERING_S < since_last_s < 0:
        return Rejection(Drop.OUT_OF_ORDER, f"image is {-since_last_s:.3f} s older than the one before it")
    if config.max_rate_hz and 0 <= since_last_s < 1 / config.max_rate_hz:
        return Rejection(Drop.RATE_LIMIT)
    return None


def too_late(expected_s: float, max_latency_ms: float) -> Rejection:
    """The rejection of an image that is expected to be ``expected_s`` old when it is published."""
    explanation = f"it would be {expected_s * 1e3:.0f} ms old when published, max_latency_ms is {max_latency_ms:g}"
    return Rejection(Drop.WOULD_BE_LATE, explanation)
