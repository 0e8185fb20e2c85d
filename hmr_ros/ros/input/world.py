# SPDX-License-Identifier: Apache-2.0
"""The camera in the world, by TF at the stamp of the image."""

from __future__ import annotations

from hmr_ros.core.config import RobotConfig
from hmr_ros.core.geometry.frames import NoTransformError, Transform
from hmr_ros.ros.input.fixed_frames import FixedFrames
from hmr_ros.ros.input.images import Frame


def world_input(frames: FixedFrames, frame: str) -> WorldInput | None:
    """Of ``frame``, which ``frames`` look up; None where it is ""."""
    return WorldInput(frames, frame) if frame else None


class WorldInput:
    """Looks up ``world_frame`` for each image. ``problem``: why the last image had no world, "" when it had one."""

    def __init__(self, frames: FixedFrames, frame: str) -> None:
        self._frame = frame
        self._frames = frames
        self.problem = ""

    def of(self, frame: Frame, config: RobotConfig) -> Transform | None:
        """``frame``'s optical frame -> the world; None where TF does not say, with the problem.

        Waits up to ``tf_timeout_s`` for a transform that may still arrive.
        """
        try:
            found = self._frames.lookup(self._frame, frame.frame_id, frame.stamp, config.tf_timeout_s)
        except NoTransformError as err:
            self.problem = f"the camera counts as still: world_frame {self._frame!r}: {err}"
            return None
        self.problem = ""
        return found
