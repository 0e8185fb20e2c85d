# SPDX-License-Identifier: Apache-2.0
"""What the outputs of all cameras of a process have in common."""

from __future__ import annotations

from dataclasses import dataclass

from hmr_ros.core.temporal.name_pool import NamePool
from hmr_ros.ros.output.looks import CameraLooks
from hmr_ros.ros.output.person_frames import frame_pool
from hmr_ros.ros.output.publishing import Publishers
from hmr_ros.ros.output.tracked import TrackedLists


@dataclass(frozen=True, eq=False)
class SharedOutputs:
    """ROS4HRI's ``lists`` of tracks, and the names of ``frames`` in TF: both are those of the whole process.

    They outlive the outputs, which exist while a node is active: a name rests also when it is deactivated meanwhile.
    ``looks``: where a camera puts how its people look, for those who fuse them; None: no node does.
    """

    lists: TrackedLists
    frames: NamePool
    looks: CameraLooks | None = None

    @staticmethod
    def of(publishers: Publishers, letters: str = "") -> SharedOutputs:
        """New ones, the lists published through ``publishers``; ``letters`` as of ``frame_pool``."""
        return SharedOutputs(TrackedLists(publishers), frame_pool(letters))
