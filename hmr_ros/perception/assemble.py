# SPDX-License-Identifier: Apache-2.0
"""The shipped networks, put together as the settings ask."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hmr_ros.core.arrays import Ints
from hmr_ros.core.config import RobotConfig
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.temporal.shedding import Shed
from hmr_ros.core.temporal.smoothing import BodySmoother
from hmr_ros.core.uncertainty import Calibration
from hmr_ros.engines.runtime import Engine
from hmr_ros.perception.detector import BlazePoseDetector, BlazePoseOptions
from hmr_ros.perception.methods import open_method
from hmr_ros.perception.pipeline import Pipeline
from hmr_ros.perception.shared import SharedParts
from hmr_ros.perception.tracker import Tracker, TrackerOptions

_SEARCH, _LANDMARKS = "blazepose_detector.json", "blazepose_landmarks.json"
_BODY = "open_body.npz"


@dataclass(frozen=True, eq=False)
class Assembly:
    """A pipeline with what its users need to know about it, and the networks to close at the end.

    ``faces`` (F, 3) of every body; ``body_model`` its name; ``networks`` the names of the networks; ``backend`` what
    runs them; ``apply`` takes over the settings that may change while running, ``shed`` how much to leave out of the
    next images so that they are in time.
    """

    pipeline: Pipeline
    faces: Ints
    body_model: str
    networks: tuple[str, ...]
    backend: str
    engines: tuple[Engine, ...] = ()
    apply: Callable[[RobotConfig], None] = lambda config: None
    shed: Callable[[Shed], None] = lambda level: None

    @property
    def method(self) -> str:
        """How bodies are estimated."""
        return self.pipeline.estimator.method

    @property
    def calibration(self) -> Calibration | None:
        """What the covariances of the bodies are made with."""
        return self.pipeline.estimator.calibration

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """What runs here, as names and values."""
        return (
            ("method", self.method),
            ("body model", self.body_model),
            ("networks", ", ".join(self.networks)),
            ("backend", self.backend),
            *((engine.manifest.name, f"runs on {engine.status}") for engine in self.engines),
        )

    def close(self) -> None:
        """Free the networks."""
        for engine in self.engines:
            engine.close()


def assemble(config: RobotConfig, parts: SharedParts | None = None) -> Assembly:
    """Open the networks, or take them from ``parts``, where other cameras of this process have opened them.

    Raises ManifestError, EngineError, ValueError or OSError, each saying which file and why.
    """
    parts = parts or SharedParts()

    def open_network(path: Path) -> Engine:
        return opened.enter_context(contextlib.closing(parts.network(path, config)))

    with contextlib.ExitStack() as opened:  # none stays open, or goes on building, when another one fails
        assembly = _assemble(config, parts, open_network)
        opened.pop_all()
    return assembly


def _assemble(config: RobotConfig, parts: SharedParts, open_network: Callable[[Path], Engine]) -> Assembly:
    models = models_dir()
    body_path = Path(config.smpl_path) if config.smpl_path else models / _BODY
    body_model = parts.body_model(body_path)
    search, landmarks = open_network(models / _SEARCH), open_network(models / _LANDMARKS)
    method = open_method(config, body_model, open_network)
    engines = (search, landmarks, *method.engines)
    detector, tracker, smoother = BlazePoseDetector(search, landmarks), Tracker(ids=parts.ids), BodySmoother(body_model)

    def apply(settings: RobotConfig) -> None:
        detector.options = _detector_options(settings)
        tracker.options = TrackerOptions(timeout_s=settings.track_timeout_s)
        method.apply(settings)
        smoother.config = settings.smoothing

    def shed(level: Shed) -> None:
        detector.saves_searches = level >= Shed.SEARCHES
        method.shed(level)

    apply(config)
    return Assembly(
        pipeline=Pipeline(detector, tracker, method.estimator, smoother, body_model),
        faces=body_model.faces,
        body_model=body_path.stem,
        networks=tuple(engine.manifest.name for engine in engines),
        backend=config.backend,
        engines=engines,
        apply=apply,
        shed=shed,
    )


def _detector_options(config: RobotConfig) -> BlazePoseOptions:
    width, height = config.detector.size.split("x")
    return BlazePoseOptions(
        search_pixels=int(width) * int(height),
        period=config.detector.period,
        max_people=config.max_people,
        min_presence=config.detection_threshold,
    )
