# SPDX-License-Identifier: Apache-2.0
"""Every parameter of the node: what it means, its range, whether it may change while running."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from hmr_ros.core.settings import setting, validate

ANCHORS = ("detector", "projection")
"""What Global-to-Pixel may be led by."""


@dataclass(frozen=True)
class DetectorConfig:
    """How people are found."""

    size: str = setting(
        "640x352",
        doc="input of the person detector in px; larger finds people farther away and costs proportionally more",
        choices=("416x224", "640x352", "1280x704"),
        read_only=True,
    )
    period: int = setting(
        5, doc="search the whole image every so many frames; tracked people are followed in all", low=1
    )


@dataclass(frozen=True)
class SmoothingConfig:
    """One-euro filter of each body: smooth when still, quick when moving (Casiez et al., CHI 2012).

    It lags behind a steady movement by 1 / (2 pi (min_cutoff + beta * speed)); docs/tracking.md has it measured.
    """

    min_cutoff: float = setting(1.5, doc="cut-off frequency at rest in Hz; 0 switches smoothing off", low=0, high=100)
    beta: float = setting(3.0, doc="rise of the cut-off in Hz per m/s (positions) or rad/s (joints)", low=0, high=10)


@dataclass(frozen=True)
class HumansConfig:
    """People as ROS4HRI knows them (REP-155)."""

    enabled: bool = setting(True, doc="publish ROS4HRI's topics, where hri_msgs is installed", read_only=True)
    namespace: str = setting("/humans", doc="where they are published; ROS4HRI's tools expect /humans", read_only=True)
    clamp_joint_limits: bool = setting(False, doc="keep joint angles within the limits of the URDF")

    def __post_init__(self) -> None:
        if not re.fullmatch(r"/?[A-Za-z]\w*(/[A-Za-z]\w*)*", self.namespace):
            raise ValueError(f"humans.namespace: expected a name such as /humans, got {self.namespace!r}")


@dataclass(frozen=True)
class PlanningConfig:
    """People as obstacles of planners (docs/planning.md)."""

    frame: str = setting(
        "", doc="fixed frame of collision objects and people, such as odom; empty: target_frame", read_only=True
    )
    collision_objects: bool = setting(
        False, doc="publish people as CollisionObjects for MoveIt, where moveit_msgs is installed", read_only=True
    )
    padding_m: float = setting(0.02, doc="how much thicker than the body collision objects are", low=0, high=0.5)
    rate_hz: float = setting(10.0, doc="most updates of a collision object per second", low=0.1, high=60)
    refresh_s: float = setting(
        5.0, doc="collision objects are added again so often, for a planner that lost them; 0: never", low=0, high=60
    )
    mesh_points: int = setting(500, doc="points of each body in mesh_points", low=50, high=6890, read_only=True)

    def __post_init__(self) -> None:
        _check_frame("planning.frame", self.frame)


@dataclass(frozen=True)
class RobotConfig:
    """Every parameter of the node."""

    backend: str = setting(
        "auto",
        doc="what runs the networks; auto takes the fastest that works",
        choices=("auto", "tensorrt", "tensorrt_rtx", "onnxruntime", "onnxruntime:cuda", "onnxruntime:tensorrt"),
        read_only=True,
    )
    engine_cache: str = setting(
        "", doc="directory of TensorRT engines; empty: ~/.cache/hmr_ros/engines (XDG_CACHE_HOME)", read_only=True
    )
    allow_engine_build: bool = setting(
        True,
        doc="build TensorRT engines that are missing; false: use those that are there, else the CPU (backend: auto)",
        read_only=True,
    )
    engine_build_timeout_s: float = setting(
        3600.0, doc="longest time to build one engine; it fails after that", low=10, high=7200, read_only=True
    )
    serve_while_building: bool = setting(
        True,
        doc="run on the CPU while TensorRT builds, then switch; false: configuring takes until engines are built",
        read_only=True,
    )
    precision: str = setting(
        "fp16",
        doc="arithmetic of TensorRT: fp16 where the network has a checked half (hmr half), or fp32 throughout",
        choices=("fp32", "fp16"),
        read_only=True,
    )
    device_id: int = setting(
        0,
        doc="which of the GPUs that CUDA_VISIBLE_DEVICES shows; one for all of a process",
        low=0,
        high=15,
        read_only=True,
    )
    model: str = setting(
        "pose2mesh",
        doc="how bodies are estimated; both: by global_to_pixel, and pose2mesh says how far it disagrees",
        choices=("pose2mesh", "global_to_pixel", "both"),
        read_only=True,
    )
    model_path: str = setting("", doc="manifest (.json) of the network; empty: the shipped one", read_only=True)
    smpl_path: str = setting("", doc="body model (.npz, SMPL schema); empty: the shipped open body", read_only=True)
    num_threads: int = setting(
        0, doc="CPU threads of the networks; 0: as many as there are cores", low=0, high=256, read_only=True
    )
    max_people: int = setting(8, doc="most people followed at once", low=1, high=32)
    detection_threshold: float = setting(0.5, doc="least score of a person", low=0.05, high=0.95)
    min_keypoints: int = setting(6, doc="fewest seen keypoints that are lifted to a body", low=6, high=18)
    keypoint_threshold: float = setting(0.3, doc="least score of a seen keypoint", low=0, high=1)
    anchors: str = setting(
        "detector",
        doc="where global_to_pixel looks closely: at the detector's keypoints, or where it expects joints itself",
        choices=ANCHORS,
    )
    max_disagreement_m: float = setting(
        0.15, doc="mean distance of two methods' joints above which diagnostics warn (model: both)", low=0.01, high=10
    )
    max_rate_hz: float = setting(0.0, doc="most images processed per second; 0: no limit", low=0, high=240)
    max_latency_ms: float = setting(
        0.0,
        doc="from stamp to published: work is left out, and at last images, that would take longer; 0: no limit",
        low=0,
        high=10000,
    )
    max_frame_age_s: float = setting(0.5, doc="older images are dropped; 0: none are", low=0, high=10)
    input_timeout_s: float = setting(1.0, doc="silence of a topic before it is reported", low=0.05, high=60)
    track_timeout_s: float = setting(
        1.0, doc="a person unseen for so long is lost; until then they coast", low=0.05, high=60
    )
    image_transport: str = setting(
        "raw", doc="subscribe image or image/compressed", choices=("raw", "compressed"), read_only=True
    )
    rectified: str = setting(
        "auto",
        doc="take the image as rectified (P) or as the lens gave it (K, D)? auto: rectified when named image_rect*",
        choices=("auto", "always", "never"),
        read_only=True,
    )
    use_depth: bool = setting(
        False, doc="subscribe depth, registered to the images, and place and size people by it", read_only=True
    )
    depth_scale: float = setting(
        0.001, doc="m per unit of integer depth (16UC1); 32FC1 is in m", low=1e-6, high=1, read_only=True
    )
    depth_tolerance_s: float = setting(
        0.05, doc="largest difference of an image's and its depth's stamps", low=0, high=1, read_only=True
    )
    target_frame: str = setting(
        "",
        doc="frame of markers, mesh, mesh_points, people and collision objects, such as odom; empty: the camera's",
        read_only=True,
    )
    tf_timeout_s: float = setting(0.05, doc="longest wait for the transform at the image's stamp", low=0, high=1)
    publish_tf: str = setting(
        "skeleton",
        doc="TF frames: nothing, body_<id>, or that and all links of the person's URDF",
        choices=("none", "root", "skeleton"),
    )
    publish_markers: bool = setting(True, doc="publish skeletons for RViz")
    mesh_faces: int = setting(
        13776, doc="most triangles of each body in mesh; fewer are coarser, and cheaper to send", low=100, high=13776
    )
    autostart: bool = setting(True, doc="configure and activate at start, without a lifecycle manager", read_only=True)
    detector: DetectorConfig = field(default_factory=DetectorConfig)
    smoothing: SmoothingConfig = field(default_factory=SmoothingConfig)
    humans: HumansConfig = field(default_factory=HumansConfig)
    planning: PlanningConfig = field(default_factory=PlanningConfig)

    def __post_init__(self) -> None:
        validate(self)
        _check_frame("target_frame", self.target_frame)


def _check_frame(name: str, frame: str) -> None:
    if not re.fullmatch(r"([A-Za-z]\w*(/[A-Za-z]\w*)*)?", frame):
        raise ValueError(f"{name}: expected a frame such as odom, without a leading /, got {frame!r}")
