# SPDX-License-Identifier: Apache-2.0
"""The ground below the camera, by TF at the stamp of the image."""

from __future__ import annotations

import math

from hmr_ros.core.config import RobotConfig
from hmr_ros.core.geometry.frames import NoTransformError
from hmr_ros.core.geometry.ground import Ground
from hmr_ros.ros.input.fixed_frames import FixedFrames
from hmr_ros.ros.input.images import Frame


def ground_input(frames: FixedFrames, frame: str) -> GroundInput | None:
    """Of ``frame``, which ``frames`` look up; None where it is ""."""
    return GroundInput(frames, frame) if frame else None


class GroundInput:
    """Looks up ``ground_frame`` for each image. ``problem``: why the last image had no ground, "" when it had one."""

    def __init__(self, frames: FixedFrames, frame: str) -> None:
        self._frame = frame
        self._frames = frames
        self.problem = ""

    def of(self, frame: Frame, config: RobotConfig) -> Ground | None:
        """The plane z = 0 of the ground's frame when ``frame`` was taken; None where TF does not say, with the problem.

        Waits up to ``tf_timeout_s`` for a transform that may still arrive.
        """
        height, tilt = config.ground_height_deviation_m, math.radians(config.ground_tilt_deviation_deg)
        try:
            to_ground = self._frames.lookup(self._frame, frame.frame_id, frame.stamp, config.tf_timeout_s)
            ground = Ground.of_frame(to_ground, height, tilt)
        except (NoTransformError, ValueError) as err:
            self.problem = f"no ground: ground_frame {self._frame!r}: {err}"
        else:
            self.problem = ""
            return ground
        return None
