# SPDX-License-Identifier: Apache-2.0
"""Every setting of a pipeline and of the node: its meaning, its range, whether it may change while running.

    engines: how networks are run
    perception: how people are found, followed and estimated; with detection: who finds them
    node: topics, rates, latency and frames; with outputs: people for ROS4HRI, MoveIt and nav2
    fusing: the settings of `hmr_fuse`
    names: checks of the names in them

Engines depend on EngineSettings, perception on PerceptionSettings, ros/ on RobotConfig, which inherits from both and
from NodeSettings: the node's ROS parameters are flat. core/settings.py has what they are made with.
"""

from __future__ import annotations

from dataclasses import dataclass

from hmr_ros.core.config.detection import DETECTOR_PRESETS as DETECTOR_PRESETS
from hmr_ros.core.config.detection import DetectionsConfig as DetectionsConfig
from hmr_ros.core.config.detection import DetectorConfig as DetectorConfig
from hmr_ros.core.config.detection import HandsConfig as HandsConfig
from hmr_ros.core.config.engines import BACKENDS as BACKENDS
from hmr_ros.core.config.engines import BUILD_TIMEOUT_S as BUILD_TIMEOUT_S
from hmr_ros.core.config.engines import CPU_PRECISIONS as CPU_PRECISIONS
from hmr_ros.core.config.engines import PRECISIONS as PRECISIONS
from hmr_ros.core.config.engines import EngineSettings as EngineSettings
from hmr_ros.core.config.node import NodeSettings as NodeSettings
from hmr_ros.core.config.outputs import HumansConfig as HumansConfig
from hmr_ros.core.config.outputs import PlanningConfig as PlanningConfig
from hmr_ros.core.config.perception import ANCHORS as ANCHORS
from hmr_ros.core.config.perception import GROUNDS as GROUNDS
from hmr_ros.core.config.perception import KEYPOINT_SOURCES as KEYPOINT_SOURCES
from hmr_ros.core.config.perception import METHODS as METHODS
from hmr_ros.core.config.perception import PerceptionSettings as PerceptionSettings
from hmr_ros.core.config.perception import SmoothingConfig as SmoothingConfig


@dataclass(frozen=True)
class PipelineSettings(PerceptionSettings, EngineSettings):
    """Every setting of a pipeline: how networks are run, and how people are found, followed and estimated.

    >>> PipelineSettings(model="both", track_timeout_s=2.0).max_people
    8
    """


@dataclass(frozen=True)
class RobotConfig(NodeSettings, PipelineSettings):
    """Every parameter of the node."""
