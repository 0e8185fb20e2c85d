# SPDX-License-Identifier: Apache-2.0
"""Messages of ROS4HRI as bytes; human_messages.py is the slow reference."""

from __future__ import annotations

import numpy as np

from hmr_ros.core.ros4hri.motion import Humans
from hmr_ros.ros.output import human_messages
from hmr_ros.ros.wire import messages
from hmr_ros.ros.wire.cdr import Stamp
from hmr_ros.ros.wire.template import KeptTemplate


class HumanJointStateWriter:
    """Serialises human_messages.joint_state of one person."""

    def __init__(self) -> None:
        self._kept = KeptTemplate()

    def __call__(self, stamp: Stamp, frame_id: str, humans: Humans, row: int) -> bytes:
        """The serialised sensor_msgs/JointState of person ``row``, with rates once they are known."""
        rates = humans.angle_rates[row]
        has_rates = bool(np.isfinite(rates).all())
        template = self._kept(
            (frame_id, int(humans.ids[row]), has_rates),
            lambda: human_messages.joint_state(messages.header(stamp, frame_id), humans, row),
        )
        template.stamp(stamp)
        template["position"][:] = humans.angles[row]
        if has_rates:
            template["velocity"][:] = rates
        return template.finish()
