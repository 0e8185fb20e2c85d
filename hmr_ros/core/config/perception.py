# SPDX-License-Identifier: Apache-2.0
"""The settings of how people are found, followed and estimated."""

from __future__ import annotations

from dataclasses import dataclass, field

from hmr_ros.core.config.detection import DetectionsConfig, DetectorConfig, HandsConfig
from hmr_ros.core.forecasts import parsed_times
from hmr_ros.core.settings import setting, validate

METHODS = ("pose2mesh", "global_to_pixel", "both")
"""How bodies may be estimated."""

ANCHORS = ("detector", "projection")
"""Where Global-to-Pixel may sample the image: at the detector's keypoints, or at the joints it projects itself."""

KEYPOINT_SOURCES = ("auto", "detector", "own")
"""Whose keypoints Global-to-Pixel may start from: the detector's, or those that its one pass finds."""

GROUNDS = ("none", "estimate")
"""Where the ground that people stand on may come from, besides a frame."""


@dataclass(frozen=True)
class SmoothingConfig:
    """Smoothing of each body over time; docs/tracking.md has it measured.

    Positions pass a Kalman filter with constant velocity, rotations a one-euro filter (Casiez et al., CHI 2012), which
    lags behind a steady movement by 1 / (2 pi (min_cutoff + beta * speed)).
    """

    min_cutoff: float = setting(
        1.5,
        doc="cut-off frequency of joints at rest in Hz; 0 switches smoothing off, also of positions",
        low=0,
        high=100,
    )
    beta: float = setting(3.0, doc="added cut-off of joints in Hz per rad/s", low=0, high=10)
    position_noise: float = setting(
        1.0,
        doc="noise of positions, as a factor of what was measured: higher is smoother, and lags; 0: none",
        low=0,
        high=10,
    )

    @property
    def root_noise(self) -> float:
        """The factor of the noise of positions; 0 where smoothing is off."""
        return self.position_noise if self.min_cutoff else 0.0


@dataclass(frozen=True)
class PerceptionSettings:
    """How people are found, followed and estimated."""

    model: str = setting(
        "pose2mesh",
        doc="method of body estimation; both: global_to_pixel, compared with pose2mesh",
        choices=METHODS,
        read_only=True,
    )
    model_path: str = setting("", doc="manifest (.json) of the network; empty: the shipped one", read_only=True)
    smpl_path: str = setting("", doc="body model (.npz, SMPL schema); empty: the shipped open body", read_only=True)
    max_people: int = setting(8, doc="maximum number of people tracked at once", low=1, high=32)
    detection_threshold: float = setting(0.5, doc="minimum score of a person", low=0.05, high=0.95)
    min_keypoints: int = setting(6, doc="minimum number of visible keypoints of an estimated body", low=6, high=18)
    keypoint_threshold: float = setting(0.3, doc="minimum score of a visible keypoint", low=0, high=1)
    anchors: str = setting(
        "detector",
        doc="where global_to_pixel samples the image: at the detector's keypoints, or at joints it projects itself",
        choices=ANCHORS,
    )
    keypoint_source: str = setting(
        "auto",
        doc="keypoints that global_to_pixel starts from and fits bodies to: the detector's, put right by what it sees, "
        "or its own; auto: its own with detector.preset fast",
        choices=KEYPOINT_SOURCES,
    )
    ground: str = setting(
        "none",
        doc="ground that people stand on; estimate: the plane of people's feet, for still cameras, or with world_frame",
        choices=GROUNDS,
    )
    fusion: bool = setting(
        True,
        doc="fuse the poses of each person's last 0.8 s by a network (model: pose2mesh); false: they are filtered",
        read_only=True,
    )
    track_timeout_s: float = setting(
        1.0, doc="time for which an unseen person is coasting; after it the track is lost", low=0.05, high=60
    )
    reid: bool = setting(
        True,
        doc="give people who come back within 10 s their id again, by clothes, size and position; nothing is stored",
    )
    forecast_s: str = setting(
        "0.25, 0.5, 1.0",
        doc="times ahead of the forecasts in bodies, s, ascending, up to 1; empty: none",
    )
    detector: DetectorConfig = field(default_factory=DetectorConfig)
    detections: DetectionsConfig = field(default_factory=DetectionsConfig)
    hands: HandsConfig = field(default_factory=HandsConfig)
    smoothing: SmoothingConfig = field(default_factory=SmoothingConfig)

    def __post_init__(self) -> None:
        validate(self)
        parsed_times(self.forecast_s)

    @property
    def uses_own_keypoints(self) -> bool:
        """Whether Global-to-Pixel starts from its own keypoints.

        BlazePose's, which preset ``fast`` has, are worse than its own; MoveNet Thunder's of the other presets, and
        those of a detector that we do not know, are taken.
        """
        ours = self.detections.source in ("search", "boxes") and self.detector.preset == "fast"
        return self.keypoint_source == "own" or (self.keypoint_source == "auto" and ours)
