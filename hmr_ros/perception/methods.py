# SPDX-License-Identifier: Apache-2.0
"""The method that the settings name, with its networks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.config import RobotConfig
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.temporal.shedding import Shed
from hmr_ros.engines.runtime import Engine
from hmr_ros.perception.body_estimator import BodyEstimator
from hmr_ros.perception.both import Both
from hmr_ros.perception.global_to_pixel import GlobalToPixel, GlobalToPixelOptions
from hmr_ros.perception.keypoints import KeypointOptions
from hmr_ros.perception.pose2mesh import Pose2Mesh

_POSE2MESH, _GLOBAL_TO_PIXEL = "pose2mesh.json", "global_to_pixel.json"

OpenNetwork = Callable[[Path], Engine]
"""Opens the network beside a manifest."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Method:
    """A body estimator with its networks.

    ``apply`` takes over the settings that may change while running, ``shed`` how much to leave out of the next images.
    """

    estimator: BodyEstimator
    engines: tuple[Engine, ...]
    apply: Callable[[RobotConfig], None]
    shed: Callable[[Shed], None] = lambda level: None


def open_method(config: RobotConfig, body_model: BodyModel, open_network: OpenNetwork) -> Method:
    """What ``config.model`` names; Pose2Mesh, with a warning, where Global-to-Pixel's network is missing.

    Raises ManifestError or EngineError for a network that cannot be used, or that was asked for by path.
    """
    shipped = models_dir()
    if config.model == "pose2mesh":
        return _pose2mesh(open_network(Path(config.model_path or shipped / _POSE2MESH)), body_model)
    path = Path(config.model_path or shipped / _GLOBAL_TO_PIXEL)
    if not config.model_path and not path.is_file():
        _log.warning(
            "%s is missing: pose2mesh estimates the bodies, though model is %s. To mend it, restore the file "
            "(git checkout models, colcon build), or make one (hmr train, hmr export)",
            path,
            config.model,
        )
        return _pose2mesh(open_network(shipped / _POSE2MESH), body_model)
    method = _global_to_pixel(open_network(path), body_model)
    if config.model == "global_to_pixel":
        return method
    return _beside(method, _pose2mesh(open_network(shipped / _POSE2MESH), body_model), body_model)


def _pose2mesh(engine: Engine, body_model: BodyModel) -> Method:
    pose2mesh = Pose2Mesh(engine, body_model)

    def apply(settings: RobotConfig) -> None:
        pose2mesh.keypoint_options = _keypoint_options(settings)

    return Method(pose2mesh, (engine,), apply)


def _global_to_pixel(engine: Engine, body_model: BodyModel) -> Method:
    global_to_pixel = GlobalToPixel(engine, body_model)

    def apply(settings: RobotConfig) -> None:
        global_to_pixel.options = GlobalToPixelOptions(_keypoint_options(settings), settings.anchors)

    return Method(global_to_pixel, (engine,), apply)


def _beside(first: Method, second: Method, body_model: BodyModel) -> Method:
    def apply(settings: RobotConfig) -> None:
        first.apply(settings)
        second.apply(settings)

    def shed(level: Shed) -> None:
        both.asks_second = level < Shed.SECOND_METHOD

    both = Both(first.estimator, second.estimator, body_model)
    return Method(both, first.engines + second.engines, apply, shed)


def _keypoint_options(config: RobotConfig) -> KeypointOptions:
    return KeypointOptions(config.keypoint_threshold, config.min_keypoints)
