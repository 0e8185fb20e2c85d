# SPDX-License-Identifier: Apache-2.0
"""What is known of the cameras before anything is seen."""

from __future__ import annotations

from dataclasses import dataclass

SHARED_SIZE_ERROR = 0.5
"""Correlation of two cameras' errors of a person's size: their networks guess it from the same body, and share a prior
of heights."""


@dataclass(frozen=True)
class FusingOptions:
    """How exact cameras are, and how long people are remembered.

    ``position_deviation_m`` and ``angle_deviation_rad``: standard deviations of a camera's stated pose, of the position
    and of the rotation, per axis; ``clock_deviation_s`` of its stamps. A person whom no camera sees for
    ``timeout_s`` is lost; what comes later than ``max_delay_s`` after newer images is left out. ``learns``: whether the
    errors of the cameras' poses are estimated from the people whom they share.
    """

    position_deviation_m: float = 0.03
    angle_deviation_rad: float = 0.035
    clock_deviation_s: float = 0.03
    timeout_s: float = 2.0
    max_delay_s: float = 0.5
    learns: bool = True

    def __post_init__(self) -> None:
        if not all(value > 0 for name, value in vars(self).items() if name != "learns"):
            raise ValueError(f"expected deviations and times above 0, got {self}")
