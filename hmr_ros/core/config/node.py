# SPDX-License-Identifier: Apache-2.0
"""The settings of the node around a pipeline."""

from __future__ import annotations

from dataclasses import dataclass, field

from hmr_ros.core.config.names import check_frame
from hmr_ros.core.config.outputs import HumansConfig, PlanningConfig
from hmr_ros.core.settings import setting, validate


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
        check_frame("target_frame", self.target_frame)
        check_frame("ground_frame", self.ground_frame)
        check_frame("world_frame", self.world_frame)
