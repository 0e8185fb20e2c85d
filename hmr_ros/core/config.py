# SPDX-License-Identifier: Apache-2.0
"""Every setting of a pipeline and of the node: its meaning, its range, whether it may change while running.

Engines depend on EngineSettings, perception on PerceptionSettings, ros/ on RobotConfig, which inherits from both and
from NodeSettings: the node's ROS parameters are flat.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from hmr_ros.core.detector_config import DETECTOR_PRESETS as DETECTOR_PRESETS
from hmr_ros.core.detector_config import DetectionsConfig as DetectionsConfig
from hmr_ros.core.detector_config import DetectorConfig as DetectorConfig
from hmr_ros.core.detector_config import HandsConfig as HandsConfig
from hmr_ros.core.detector_config import check_namespace
from hmr_ros.core.forecasts import parsed_times
from hmr_ros.core.settings import setting, validate
from hmr_ros.core.uncertainty import LEVELS

BACKENDS = ("auto", "tensorrt", "tensorrt_rtx", "onnxruntime", "onnxruntime:cuda", "onnxruntime:tensorrt")
"""What may run the networks: "auto" is the fastest that works here; after the colon, ONNX Runtime's provider."""

PRECISIONS = ("fp32", "fp16")
"""Arithmetic of networks on a GPU."""

CPU_PRECISIONS = ("auto", "fp32", "int8")
"""Arithmetic of networks on a CPU, where they have a model in int8."""

BUILD_TIMEOUT_S = 3600.0
"""Maximum time to build one engine: the largest networks take a quarter of an hour on the smallest Jetson."""

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
        _check_frame("planning.frame", self.frame)


@dataclass(frozen=True)
class EngineSettings:
    """How networks are run: the library, its threads, and the TensorRT engines.

    >>> EngineSettings(backend="tensorflow")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: backend: expected auto, tensorrt, tensorrt_rtx, onnxruntime, ... got 'tensorflow'
    """

    backend: str = setting(
        "auto",
        doc="library that runs the networks; auto takes the fastest that works",
        choices=BACKENDS,
        read_only=True,
    )
    engine_cache: str = setting(
        "", doc="directory of TensorRT engines; empty: ~/.cache/hmr_ros/engines (XDG_CACHE_HOME)", read_only=True
    )
    allow_engine_build: bool = setting(
        True,
        doc="build missing TensorRT engines; false: use existing ones, else the CPU (backend: auto)",
        read_only=True,
    )
    engine_build_timeout_s: float = setting(
        BUILD_TIMEOUT_S,
        doc="maximum time to build one engine, which then fails",
        low=10,
        high=7200,
        read_only=True,
    )
    serve_while_building: bool = setting(
        True,
        doc="run on the CPU while TensorRT builds, then switch; false: configuring waits until engines are built",
        read_only=True,
    )
    precision: str = setting(
        "fp16",
        doc="arithmetic of TensorRT: fp16 where the network has a checked fp16 model (hmr fp16), or fp32 throughout",
        choices=PRECISIONS,
        read_only=True,
    )
    cpu_precision: str = setting(
        "fp32",
        doc="arithmetic of searching networks on a CPU; int8 sees fewer people in poor images; auto: int8 where faster",
        choices=CPU_PRECISIONS,
        read_only=True,
    )
    device_id: int = setting(
        0,
        doc="index of the GPU among those of CUDA_VISIBLE_DEVICES; one per process",
        low=0,
        high=15,
        read_only=True,
    )
    num_threads: int = setting(
        0, doc="CPU threads of the networks; 0: the number of cores, at most 4", low=0, high=256, read_only=True
    )

    def __post_init__(self) -> None:
        validate(self)


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
        doc="keypoints that global_to_pixel starts from and fits bodies to: the detector's, or its own; auto: its own "
        "with detector.preset fast",
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


@dataclass(frozen=True)
class PipelineSettings(PerceptionSettings, EngineSettings):
    """Every setting of a pipeline: how networks are run, and how people are found, followed and estimated.

    >>> PipelineSettings(model="both", track_timeout_s=2.0).max_people
    8
    """


@dataclass(frozen=True)
class NodeSettings:
    """The settings of the node around a pipeline: topics, rates, latency and frames."""

    max_disagreement_m: float = setting(
        0.15, doc="mean distance of two methods' joints above which diagnostics warn (model: both)", low=0.01, high=10
    )
    max_rate_hz: float = setting(0.0, doc="maximum rate of processed images; 0: no limit", low=0, high=240)
    max_latency_ms: float = setting(
        0.0,
        doc="maximum time from stamp to publication: work, then images, that would exceed it is left out; 0: no limit",
        low=0,
        high=10000,
    )
    background_search: bool = setting(
        True,
        doc="search whole images in a thread of its own: no image waits for it while people are followed",
        read_only=True,
    )
    max_frame_age_s: float = setting(0.5, doc="older images are dropped; 0: none are", low=0, high=10)
    input_timeout_s: float = setting(1.0, doc="silence of a topic after which it is reported", low=0.05, high=60)
    image_transport: str = setting(
        "raw", doc="subscribe image or image/compressed", choices=("raw", "compressed"), read_only=True
    )
    rectified: str = setting(
        "auto",
        doc="whether the image is rectified (P) or raw (K, D); auto: rectified if the topic is named image_rect*",
        choices=("auto", "always", "never"),
        read_only=True,
    )
    use_depth: bool = setting(
        False,
        doc="subscribe depth, registered to the images, for positions and sizes of people",
        read_only=True,
    )
    depth_scale: float = setting(
        0.001, doc="m per unit of integer depth (16UC1); 32FC1 is in m", low=1e-6, high=1, read_only=True
    )
    depth_tolerance_s: float = setting(
        0.05, doc="maximum difference between the stamps of an image and its depth", low=0, high=1, read_only=True
    )
    ground_frame: str = setting(
        "",
        doc="frame whose plane z = 0 people stand on, such as base_footprint; empty: none, or see ground",
        read_only=True,
    )
    ground_height_deviation_m: float = setting(
        0.02, doc="standard deviation of the height of ground_frame's plane below the camera", low=0.001, high=1
    )
    ground_tilt_deviation_deg: float = setting(
        0.5, doc="standard deviation of the tilt of ground_frame's plane against the camera", low=0.01, high=20
    )
    world_frame: str = setting(
        "",
        doc="frame that stands still, such as odom, in which people are followed and smoothed; empty: the camera's",
        read_only=True,
    )
    target_frame: str = setting(
        "",
        doc="frame of markers, mesh, mesh_points, people and collision objects, such as odom; empty: the camera's",
        read_only=True,
    )
    tf_timeout_s: float = setting(0.05, doc="maximum wait for the transform at the image's stamp", low=0, high=1)
    publish_tf: str = setting(
        "root",
        doc="TF frames of each person: none, one (SmplBody.frame), or that and all links of the URDF",
        choices=("none", "root", "skeleton"),
    )
    publish_markers: bool = setting(True, doc="publish skeletons and forecasts for RViz")
    mesh_faces: int = setting(
        4000,
        doc="maximum triangles of each body in mesh; fewer are coarser, and cheaper to send; all: 13776",
        low=100,
        high=13776,
    )
    mesh_rate_hz: float = setting(
        15.0, doc="maximum rate of each body's mesh, by the images' stamps; 0: with every image", low=0, high=240
    )
    autostart: bool = setting(True, doc="configure and activate at start, without a lifecycle manager", read_only=True)
    humans: HumansConfig = field(default_factory=HumansConfig)
    planning: PlanningConfig = field(default_factory=PlanningConfig)

    def __post_init__(self) -> None:
        validate(self)
        _check_frame("target_frame", self.target_frame)
        _check_frame("ground_frame", self.ground_frame)
        _check_frame("world_frame", self.world_frame)


@dataclass(frozen=True)
class RobotConfig(NodeSettings, PipelineSettings):
    """Every parameter of the node."""


def _check_frame(name: str, frame: str) -> None:
    if not re.fullmatch(r"([A-Za-z]\w*(/[A-Za-z]\w*)*)?", frame):
        raise ValueError(f"{name}: expected a frame such as odom, without a leading /, got {frame!r}")
