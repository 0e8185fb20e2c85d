# SPDX-License-Identifier: Apache-2.0
"""What a pipeline makes of one image."""

from __future__ import annotations

from dataclasses import dataclass

from hmr_ros.core.geometry.camera_motion import CameraPose
from hmr_ros.core.geometry.ground import Ground
from hmr_ros.core.people import Bodies
from hmr_ros.perception.hands import Hands


@dataclass(frozen=True)
class Timings:
    """How long the steps of one image took, s; posing, of fingers too, belongs to smoothing."""

    detect_s: float = 0.0
    track_s: float = 0.0
    estimate_s: float = 0.0
    hands_s: float = 0.0
    smooth_s: float = 0.0

    @property
    def total_s(self) -> float:
        """All steps together."""
        return self.detect_s + self.track_s + self.estimate_s + self.hands_s + self.smooth_s


@dataclass(frozen=True, eq=False)
class Result:
    """The result of one image.

    ``bodies`` of the people in it, and of coasting tracks, which are predicted (``Bodies.states``); ``lost`` ids of
    the tracks that ended with this image, ascending; ``timings`` of its steps; ``measured`` the number of people whose
    position depth gave, ``grounded`` of those whom their contact with the ``ground`` placed; None: no ground is known.
    ``pose`` of the camera in the world; None: not known; ``jump``: how the world jumped, "" where it did not.
    ``hands`` of the people who are seen in this image; None: they were not looked for. ``skipped``: number of people
    who hardly move and were not looked at (Pipeline.in_turns).
    """

    bodies: Bodies
    lost: tuple[int, ...] = ()
    timings: Timings = Timings()
    measured: int = 0
    grounded: int = 0
    ground: Ground | None = None
    pose: CameraPose | None = None
    jump: str = ""
    hands: Hands | None = None
    skipped: int = 0
