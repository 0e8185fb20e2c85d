# SPDX-License-Identifier: Apache-2.0
"""Opening the method that the settings name, with its networks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.config import PerceptionSettings
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.temporal.smoothing import BodySmoother
from hmr_ros.engines.runtime import Engine
from hmr_ros.perception.body_estimator import BodyEstimator
from hmr_ros.perception.both import Both
from hmr_ros.perception.fusion import FusingSmoother, PoseFusion
from hmr_ros.perception.global_to_pixel import GlobalToPixel
from hmr_ros.perception.pose2mesh import Pose2Mesh

_POSE2MESH, _GLOBAL_TO_PIXEL, _FUSION = "pose2mesh.json", "global_to_pixel.json", "fusion.json"

OpenNetwork = Callable[[Path], Engine]
"""Opens the network beside a manifest."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Method:
    """A body estimator with its networks."""

    estimator: BodyEstimator
    engines: tuple[Engine, ...]


@dataclass(frozen=True, eq=False)
class Smoother:
    """What smooths bodies over time, with its networks."""

    smoother: BodySmoother
    engines: tuple[Engine, ...] = ()


def open_smoother(settings: PerceptionSettings, body_model: BodyModel, open_network: OpenNetwork) -> Smoother:
    """The fusion over time where the settings ask for it, else the filter; it has learnt Pose2Mesh's errors alone.

    The filter, with a warning, where the network is missing. Raises ManifestError or EngineError for one that cannot
    be used.
    """
    if not settings.fusion or settings.model != "pose2mesh":
        return Smoother(BodySmoother(body_model))
    if not (manifests := smoother_manifests(settings)):
        _log.warning(
            "%s is missing: poses are filtered, though fusion is true. To fix it, restore the file (git checkout "
            "models, colcon build), or make one (hmr train fusion, hmr export)",
            models_dir() / _FUSION,
        )
        return Smoother(BodySmoother(body_model))
    engine = open_network(manifests[0])
    return Smoother(FusingSmoother(body_model, PoseFusion(engine, body_model)), (engine,))


def open_method(settings: PerceptionSettings, body_model: BodyModel, open_network: OpenNetwork) -> Method:
    """Open the method ``settings.model``; Pose2Mesh, with a warning, where Global-to-Pixel's network is missing.

    Raises ManifestError or EngineError for a network that cannot be used, or that was asked for by path.
    """
    shipped = models_dir()
    if settings.model == "pose2mesh":
        return _pose2mesh(open_network(Path(settings.model_path or shipped / _POSE2MESH)), body_model)
    path = Path(settings.model_path or shipped / _GLOBAL_TO_PIXEL)
    if not settings.model_path and not path.is_file():
        _log.warning(
            "%s is missing: pose2mesh estimates the bodies, though model is %s. To fix it, restore the file "
            "(git checkout models, colcon build), or make one (hmr train, hmr export)",
            path,
            settings.model,
        )
        return _pose2mesh(open_network(shipped / _POSE2MESH), body_model)
    engine = open_network(path)
    method = GlobalToPixel(engine, body_model)
    if settings.model == "global_to_pixel":
        return Method(method, (engine,))
    second = _pose2mesh(open_network(shipped / _POSE2MESH), body_model)
    return Method(Both(method, second.estimator, body_model), (engine, *second.engines))


def smoother_manifests(settings: PerceptionSettings) -> tuple[Path, ...]:
    """The manifests of the networks that ``open_smoother`` opens, as far as they are there."""
    path = models_dir() / _FUSION
    return (path,) if settings.fusion and settings.model == "pose2mesh" and path.is_file() else ()


def method_manifests(settings: PerceptionSettings) -> tuple[Path, ...]:
    """The manifests of the networks that ``open_method`` opens, as far as they are there."""
    shipped = models_dir()
    if settings.model == "pose2mesh":
        return (Path(settings.model_path or shipped / _POSE2MESH),)
    path = Path(settings.model_path or shipped / _GLOBAL_TO_PIXEL)
    if not settings.model_path and not path.is_file():
        return (shipped / _POSE2MESH,)
    return (path,) if settings.model == "global_to_pixel" else (path, shipped / _POSE2MESH)


def _pose2mesh(engine: Engine, body_model: BodyModel) -> Method:
    return Method(Pose2Mesh(engine, body_model), (engine,))
