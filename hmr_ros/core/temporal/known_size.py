# SPDX-License-Identifier: Apache-2.0
"""What is known of the size of one track: the estimate, the evidence that contradicts it, and the last contacts."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field

from hmr_ros.core.temporal.sizes import Size, is_possible

_ALIKE_S = 0.5
"""Errors of the contact with the ground are alike for so long: a step of a walk."""

_RISE_S = 0.1
"""Feet rise or sink between images that are at least so far apart."""

_UNKNOWN_RISE_M_S = 1.0

_ANOTHER = 3.0
"""Standard deviations between two refused sizes that are not of the same person and ground."""

_PERSUADED_BELOW, _PERSUADED_ABOVE = 2.0, 6.0
"""Independent measurements that refute a known size: people do not sink into the floor, but they climb on things."""


@dataclass(frozen=True)
class SizeMeasurement:
    """A ``size`` by one contact with the ground, and its standard ``deviation``, in template sizes.

    ``limit``: the information that any number of such contacts have at most.
    """

    size: float
    deviation: float
    limit: float

    def added_to(self, size: Size, fresh: float) -> Size:
        """``size`` with the independent part ``fresh`` of this measurement."""
        return size.with_measurement(self.size, fresh / self.deviation**2, self.limit)


@dataclass
class KnownSize:
    """The ``size`` of a person; ``rival``: what refused evidence says, over so many independent measurements.

    ``heights``: stamp s -> m above the ground, of the contact in the last images; ``measured_s``: stamp of the last
    measurement.
    """

    size: Size = field(default_factory=Size)
    rival: Size = field(default_factory=Size)
    rival_count: float = 0.0
    heights: dict[float, float] = field(default_factory=dict)
    measured_s: float = -math.inf

    def rising(self, stamp_s: float, height_m: float) -> float:
        """m/s: how fast the contact moves up or down; in the first images, as it may while people walk."""
        self.heights = {at: h for at, h in self.heights.items() if 0 < stamp_s - at < 3 * _RISE_S}
        earlier = max((at for at in self.heights if stamp_s - at >= _RISE_S), default=None)
        self.heights[stamp_s] = height_m
        return _UNKNOWN_RISE_M_S if earlier is None else abs(height_m - self.heights[earlier]) / (stamp_s - earlier)

    def fresh(self, stamp_s: float) -> float:
        """How much of a measurement now is independent of the last one, 0..1."""
        elapsed, self.measured_s = stamp_s - self.measured_s, stamp_s
        return min(max(elapsed, 0.0) / _ALIKE_S, 1.0)

    def accept(self, measured: SizeMeasurement, fresh: float) -> None:
        """Take a size that the ground measured, by which no other is in question any more."""
        self.size = measured.added_to(self.size, fresh)
        self.rival, self.rival_count = Size(), 0.0

    def refuse(self, measured: SizeMeasurement, fresh: float) -> None:
        """Note a size that disagrees; one that others confirm replaces what was known.

        People who seem to sink into the floor are smaller; those who seem to hover mostly climbed on something, unless
        their size was taken for another one than they look.
        """
        if not is_possible(measured.size):
            return
        if abs(measured.size - self.rival.measured) > _ANOTHER * math.hypot(measured.deviation, self.rival.deviation):
            self.rival, self.rival_count = Size(), 0.0
        self.rival = measured.added_to(self.rival, fresh)
        self.rival_count += fresh
        if self._is_refuted():
            self.size = dataclasses.replace(self.size, measured=self.rival.measured, information=self.rival.information)
            self.rival, self.rival_count = Size(), 0.0

    def _is_refuted(self) -> bool:
        """Whether the rival is to replace the size."""
        rival, known = self.rival.measured, self.size
        if rival < known.mean:
            return self.rival_count >= _PERSUADED_BELOW
        nearer = abs(rival - known.guess) < abs(known.measured - known.guess)
        return nearer and self.rival_count >= _PERSUADED_ABOVE
