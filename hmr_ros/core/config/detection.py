# SPDX-License-Identifier: Apache-2.0
"""The settings of how people are found: by our own search, or by another detector; and of how their hands are."""

from __future__ import annotations

from dataclasses import dataclass

from hmr_ros.core.config.names import check_namespace
from hmr_ros.core.settings import setting

DETECTOR_PRESETS = ("fast", "balanced", "accurate")
"""How people are found and their keypoints located; docs/detection.md has them measured."""

DETECTION_SOURCES = ("search", "boxes", "keypoints", "humans")
"""Who finds people: our own search, or another detector that reports boxes, keypoints, or ROS4HRI's 2D skeletons."""

HAND_NETWORKS = ("full", "lite")
"""MediaPipe's networks of hand landmarks."""

STILL_PEOPLE = ("auto", "every_image", "in_turns")
"""When people who hardly move are looked at; docs/latency.md."""


@dataclass(frozen=True)
class DetectorConfig:
    """How people are found."""

    preset: str = setting(
        "balanced",
        doc="balanced: NanoDet and MoveNet find and refine people; accurate: in every image; fast: without MoveNet",
        choices=DETECTOR_PRESETS,
        read_only=True,
    )
    size: str = setting(
        "416x224",
        doc="input size of preset fast's search in px; larger finds people farther away, at a proportional cost",
        choices=("416x224", "640x352", "1280x704"),
        read_only=True,
    )
    period: int = setting(
        5, doc="the whole image is searched in every n-th frame; tracked people are followed in all", low=1
    )
    still_people: str = setting(
        "auto",
        doc="people who hardly move are looked at in every image, or in_turns: each in every third; auto: in_turns "
        "while images come faster than they can be processed",
        choices=STILL_PEOPLE,
    )


@dataclass(frozen=True)
class DetectionsConfig:
    """People as another detector finds them (docs/detection.md).

    >>> DetectionsConfig(classes="person, 0").wanted_classes
    ('person', '0')
    """

    source: str = setting(
        "search",
        doc="who finds people: our search; another detector on detections (boxes) or keypoints; ROS4HRI's (humans)",
        choices=DETECTION_SOURCES,
        read_only=True,
    )
    keep_ids: bool = setting(
        False, doc="people keep the ids that the other detector gave them; false: ids are ours", read_only=True
    )
    classes: str = setting(
        "person",
        doc="comma-separated classes of people in detections, such as person, 0; empty: all are",
        read_only=True,
    )
    timeout_s: float = setting(
        0.2, doc="maximum wait of an image for its detections; later ones are dropped", low=0, high=5, read_only=True
    )
    tolerance_s: float = setting(
        0.005, doc="maximum difference between the stamps of an image and its detections", low=0, high=1, read_only=True
    )
    humans_namespace: str = setting(
        "/humans", doc="namespace of ROS4HRI's topics that are subscribed with source humans", read_only=True
    )

    def __post_init__(self) -> None:
        check_namespace("detections.humans_namespace", self.humans_namespace)

    @property
    def is_external(self) -> bool:
        """Whether another detector finds people."""
        return self.source != "search"

    @property
    def wanted_classes(self) -> tuple[str, ...]:
        """The names in ``classes``."""
        return tuple(name.strip() for name in self.classes.split(",") if name.strip())


@dataclass(frozen=True)
class HandsConfig:
    """The hands of people, seen by their own networks (docs/hands.md)."""

    enabled: bool = setting(
        False, doc="locate the 21 points of each hand, and move fingers and wrists of the bodies", read_only=True
    )
    network: str = setting(
        "full", doc="network that locates them: full, or lite in half the time", choices=HAND_NETWORKS, read_only=True
    )
    model_path: str = setting(
        "",
        doc="manifest (.json) of the network from points to fingers; empty: hand_pose2mesh.json where it is shipped",
        read_only=True,
    )
