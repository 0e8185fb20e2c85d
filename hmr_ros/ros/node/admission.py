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

_JUMP_AHEAD_S = 2.0
"""A stamp that is ahead of the one before it by so much more than the time that passed may be a stray one, unless it is
the time of the node's clock."""

_SKEW_S = 0.5
"""Clocks of machines differ by less where they are synchronised; /clock may lag behind the images by as much."""

_TAI_AHEAD_S = (36.0, 38.5)
"""International atomic time, which PTP hands out, is 37 s ahead of the time of day."""


@dataclass(frozen=True)
class Rejection:
    """Why an image is not processed: the ``reason`` that diagnostics count, and an ``explanation`` for the log.

    Without an explanation nothing is logged: the user asked for what happened.
    """

    reason: Drop
    explanation: str = ""


@dataclass(frozen=True)
class Arrival:
    """An image as it arrives: its ``stamp``, its age by the node's clock, s, and the monotonic time, s."""

    stamp: Stamp
    age_s: float
    at_s: float


class Order:
    """The order of stamps. Images come one by one through ``rejection``; ``accept`` those that are processed.

    ``jump`` is the jump of time in words that the last accepted image made; "" for none.
    """

    def __init__(self) -> None:
        self.jump = ""
        self._last: Arrival | None = None
        self._stray: Stamp | None = None

    def rejection(self, image: Arrival, config: RobotConfig) -> Rejection | None:
        """Why not to process ``image``; None: it is recent enough, in order, and within the rate."""
        return _unusable(image, config) or (None if self._last is None else self._by_last(image, self._last, config))

    def accept(self, image: Arrival) -> None:
        """Continue from ``image``."""
        since_s = _since_s(image.stamp, self._last.stamp) if self._last is not None else 0.0
        self.jump = f"time jumped back by {-since_s:.1f} s: all tracks end" if since_s <= -_REORDERING_S else ""
        self._last, self._stray = image, None

    def _by_last(self, image: Arrival, last: Arrival, config: RobotConfig) -> Rejection | None:
        since_s = _since_s(image.stamp, last.stamp)
        if since_s == 0 or image.stamp == self._stray:
            explanation = f"{_text(image.stamp)} is the stamp of the image before it: the driver sends images twice, "
            return Rejection(Drop.REPEATED_STAMP, explanation + "or does not advance header.stamp")
        if -_REORDERING_S < since_s < 0:
            return Rejection(Drop.OUT_OF_ORDER, f"image is {-since_s:.3f} s older than the one before it")
        if _is_jump(image, last) and not self._agrees(image.stamp, last.stamp):
            self._stray = image.stamp
            explanation = f"its stamp is {abs(since_s):.1f} s {'after' if since_s > 0 else 'before'} the last one: a "
            return Rejection(Drop.STRAY_STAMP, explanation + "stray one, unless the next image agrees with it")
        if config.max_rate_hz and 0 <= since_s < 1 / config.max_rate_hz:
            return Rejection(Drop.RATE_LIMIT)
        return None

    def _agrees(self, stamp: Stamp, last: Stamp) -> bool:
        """Whether ``stamp`` goes on from the stray one rather than from ``last``."""
        return self._stray is not None and 0 < _since_s(stamp, self._stray) < abs(_since_s(stamp, last))


def _unusable(image: Arrival, config: RobotConfig) -> Rejection | None:
    """The rejection of a stamp that says nothing, or that is too old or of the future; None for another."""
    if image.stamp.nanoseconds == 0:
        explanation = "header.stamp is 0: have the driver, or what wrote the recording, set the time of the image"
        return Rejection(Drop.NO_STAMP, explanation)
    if image.age_s < -_SKEW_S:
        return Rejection(Drop.FUTURE_STAMP, _future(image))
    if config.max_frame_age_s and image.age_s > config.max_frame_age_s:
        return Rejection(
            Drop.TOO_OLD,
            f"image is {image.age_s:.2f} s old, max_frame_age_s is {config.max_frame_age_s:g}. For a bag: play it with "
            "--clock and set use_sim_time, or set max_frame_age_s to 0",
        )
    return None


def _future(image: Arrival) -> str:
    """Why a stamp may be ahead of the node's clock, and what to do about it."""
    ahead_s = -image.age_s
    if image.stamp.seconds <= ahead_s * (1 + 1e-9):  # the node's clock says 0
        return "use_sim_time is set, but nothing comes on /clock: play the bag with --clock, or unset use_sim_time"
    text = f"its stamp {_text(image.stamp)} is {ahead_s:.1f} s in the future: "
    if _TAI_AHEAD_S[0] <= ahead_s <= _TAI_AHEAD_S[1]:
        return f"{text}the camera has PTP's time (TAI): set the UTC offset of the camera or of its PTP master"
    return f"{text}synchronise the clocks of camera and computer (chrony, PTP); in simulation set use_sim_time"


def _is_jump(image: Arrival, last: Arrival) -> bool:
    """Whether time jumped between the images, and the node's clock not with it."""
    since_s = _since_s(image.stamp, last.stamp)
    if since_s < 0:
        return image.age_s + since_s >= -_SKEW_S  # by the node's clock, the last image is no later than now
    return image.age_s > _SKEW_S and since_s - (image.at_s - last.at_s) > _JUMP_AHEAD_S


def _since_s(stamp: Stamp, last: Stamp) -> float:
    return (stamp.nanoseconds - last.nanoseconds) * 1e-9


def _text(stamp: Stamp) -> str:
    return f"{stamp.sec}.{stamp.nanosec:09d}"


def too_late(expected_s: float, max_latency_ms: float) -> Rejection:
    """The rejection of an image that is expected to be ``expected_s`` old when it is published."""
    explanation = f"it would be {expected_s * 1e3:.0f} ms old when published, max_latency_ms is {max_latency_ms:g}"
    return Rejection(Drop.WOULD_BE_LATE, explanation)
