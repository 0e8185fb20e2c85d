# SPDX-License-Identifier: Apache-2.0
"""The outputs of people whom several cameras see: as a camera's, in the world, without what belongs to an image."""

from __future__ import annotations

import numpy as np

from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.config import RobotConfig
from hmr_ros.core.people import Bodies, Camera
from hmr_ros.core.temporal.presence import Presence
from hmr_ros.ros.input.images import Frame
from hmr_ros.ros.output.humans import HumanPublishers
from hmr_ros.ros.output.outputs import Outputs, Published
from hmr_ros.ros.output.publishing import Publishers
from hmr_ros.ros.wire import messages
from hmr_ros.ros.wire.cdr import Stamp

_NO_IMAGE = np.zeros((0, 0, 3), np.uint8)
_CALIBRATED = Camera.pinhole(1.0, 1, 1)
"""In place of a camera: planners get people where there is one, as they have positions."""


class RoomOutputs(Outputs):
    """Publishes ``bodies``, TF, ROS4HRI's topics, markers, meshes and what planners use; no overlay and no regions."""

    def __init__(
        self,
        publishers: Publishers,
        body_model: BodyModel,
        origin: messages.Origin,
        config: RobotConfig,
        presence: Presence,
    ) -> None:
        super().__init__(publishers, body_model, origin, config, presence)
        publishers.destroy(self._overlay)

    def publish_room(self, stamp: Stamp, frame_id: str, bodies: Bodies, lost: tuple[int, ...]) -> Published:
        """Publish ``bodies`` in the world's frame ``frame_id``; the ids in ``lost`` ended since the last ones."""
        frame = Frame(stamp, frame_id, _NO_IMAGE)
        published = self.publish(frame, _CALIBRATED, bodies, lost)
        problem = self.publish_meshes(frame, bodies, lost)
        return Published(published.problem or problem, published.limit_violations)

    def _publish_seen(self, humans: HumanPublishers, frame: Frame, camera: Camera | None, seen: Bodies) -> None:
        """Nothing: there is no image in which people are seen."""
