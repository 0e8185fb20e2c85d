# SPDX-License-Identifier: Apache-2.0
"""Every setting of ``hmr_fuse``, which makes one set of people of those of several cameras."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from hmr_ros.core.config import HumansConfig, PlanningConfig, RobotConfig
from hmr_ros.core.settings import setting, validate


@dataclass(frozen=True)
class FusingConfig:
    """The parameters of ``hmr_fuse``. Those that ``hmr_node`` has, too, mean the same."""

    world_frame: str = setting(
        "", doc="frame that stands still, such as map, in which people are fused", read_only=True
    )
    smpl_path: str = setting(
        "", doc="body model (.npz, SMPL schema) of the cameras; empty: the shipped open body", read_only=True
    )
    rate_hz: float = setting(15.0, doc="maximum rate of fused people", low=1, high=60)
    camera_deviation_m: float = setting(
        0.03, doc="standard deviation of each camera's position in TF, per axis", low=0.001, high=1, read_only=True
    )
    camera_deviation_deg: float = setting(
        2.0, doc="standard deviation of each camera's rotation in TF, per axis", low=0.01, high=20, read_only=True
    )
    clock_deviation_s: float = setting(
        0.03, doc="standard deviation of the clocks of the cameras", low=0.0001, high=0.5, read_only=True
    )
    learn_offsets: bool = setting(
        True, doc="estimate the errors of the cameras' poses from people whom several see", read_only=True
    )
    timeout_s: float = setting(
        2.0, doc="time for which a person whom no camera sees is coasting; then they are lost", low=0.1, high=60
    )
    max_delay_s: float = setting(0.5, doc="bodies that come later after newer ones are left out", low=0.05, high=10)
    input_timeout_s: float = setting(1.0, doc="silence of a camera after which it is reported", low=0.05, high=60)
    tf_timeout_s: float = setting(0.05, doc="maximum wait for a camera's transform", low=0, high=1)
    target_frame: str = setting("", doc="frame of markers and meshes; empty: world_frame", read_only=True)
    publish_tf: str = setting(
        "root",
        doc="TF frames of each person: none, one (SmplBody.frame), or that and all links of the URDF",
        choices=("none", "root", "skeleton"),
        read_only=True,
    )
    publish_markers: bool = setting(True, doc="publish skeletons for RViz", read_only=True)
    mesh_faces: int = setting(4000, doc="maximum triangles of each body in mesh", low=100, high=13776, read_only=True)
    humans: HumansConfig = field(default_factory=HumansConfig)
    planning: PlanningConfig = field(default_factory=PlanningConfig)

    def __post_init__(self) -> None:
        validate(self)
        self.of_outputs()

    def of_outputs(self) -> RobotConfig:
        """The same settings as those of a node that publishes people in ``world_frame``. Raises ValueError."""
        shared = {f.name for f in dataclasses.fields(RobotConfig)} & {f.name for f in dataclasses.fields(self)}
        values = {name: getattr(self, name) for name in shared}
        return dataclasses.replace(RobotConfig(), **values, track_timeout_s=self.timeout_s)
