# SPDX-License-Identifier: Apache-2.0
"""The settings of what is published of people for other packages: ROS4HRI, MoveIt and nav2."""

from __future__ import annotations

from dataclasses import dataclass

from hmr_ros.core.config.names import check_frame, check_namespace
from hmr_ros.core.settings import setting
from hmr_ros.core.uncertainty import LEVELS


@dataclass(frozen=True)
class HumansConfig:
    """People as ROS4HRI knows them (REP-155)."""

    enabled: bool = setting(True, doc="publish ROS4HRI's topics, where hri_msgs is installed", read_only=True)
    namespace: str = setting("/humans", doc="namespace of ROS4HRI's topics; its tools expect /humans", read_only=True)
    clamp_joint_limits: bool = setting(False, doc="keep joint angles within the limits of the URDF")
    hand_links: bool = setting(False, doc="add hands to the URDF of each person (hands.enabled)", read_only=True)
    gestures: bool = setting(True, doc="publish gestures, where hri_msgs is installed", read_only=True)

    def __post_init__(self) -> None:
        check_namespace("humans.namespace", self.namespace)


@dataclass(frozen=True)
class PlanningConfig:
    """People as obstacles of planners (docs/planning.md)."""

    frame: str = setting(
        "",
        doc="fixed frame of collision objects and people, such as odom; empty: world_frame, else target_frame",
        read_only=True,
    )
    collision_objects: bool = setting(
        False, doc="publish people as CollisionObjects for MoveIt, where moveit_msgs is installed", read_only=True
    )
    hands: bool = setting(
        False, doc="add a capsule for each phalanx to the collision objects (hands.enabled)", read_only=True
    )
    padding_m: float = setting(0.02, doc="margin of the collision objects around the body", low=0, high=0.5)
    rate_hz: float = setting(10.0, doc="maximum rate of updates of a collision object", low=0.1, high=60)
    refresh_s: float = setting(
        5.0,
        doc="interval of adding collision objects again, for a planner that lost them; 0: never",
        low=0,
        high=60,
    )
    forecast_level: float = setting(
        0.0,
        doc="fraction of people whom collision objects contain at each time of forecast_s, too; 0: where they are now",
        choices=(0.0, *LEVELS),
    )
    mesh_points: int = setting(500, doc="points of each body in mesh_points", low=50, high=6890, read_only=True)

    def __post_init__(self) -> None:
        check_frame("planning.frame", self.frame)
