# SPDX-License-Identifier: Apache-2.0
"""The shipped networks, put together as the settings ask."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from hmr_ros.core.body.body_model import BodyModel, load_body_model
from hmr_ros.core.config import DetectorConfig, PipelineSettings
from hmr_ros.core.manifest import models_dir
from hmr_ros.engines.runtime import Engine
from hmr_ros.perception.external import NoSearch
from hmr_ros.perception.methods import open_method, open_smoother
from hmr_ros.perception.pipeline import Pipeline
from hmr_ros.perception.presets import OpenDetector, open_detector
from hmr_ros.perception.shared import SharedParts
from hmr_ros.perception.tracker import Tracker

_BODY = "open_body.npz"


def open_pipeline(
    model: str = "pose2mesh",
    *,
    backend: str = "auto",
    num_threads: int = 0,
    max_people: int = 8,
    preset: str = "balanced",
    ground: str = "none",
    model_path: str = "",
    smpl_path: str = "",
) -> Pipeline:
    """Open the shipped networks as a pipeline from images to metric meshes.

    The people of a photo::

        import cv2
        from hmr_ros import Camera, open_pipeline

        image = cv2.cvtColor(cv2.imread("photo.jpg"), cv2.COLOR_BGR2RGB)
        height, width = image.shape[:2]
        camera = Camera.from_fov(60, width, height)  # better: Camera.from_yaml("camera.yaml")
        with open_pipeline() as pipeline:
            result = pipeline.photo(image, camera)
        for vertices in result.bodies.vertices:  # (6890, 3) m: x right, y down, z forward
            print(vertices.mean(0), pipeline.faces.shape)

    Of a video, call ``pipeline(image, camera, stamp_s)`` with each image in turn: people keep their ids, and their
    movement is smoothed.

    ``model`` is "pose2mesh", "global_to_pixel" or "both"; ``backend`` one of core/config.py's BACKENDS; ``num_threads``
    the number of CPU threads, 0 for the number of cores, at most 4; ``max_people`` the maximum number of people tracked
    at once; ``preset`` of the detector is "balanced", "accurate" or, for weak machines, "fast" (docs/detection.md);
    ``ground`` "estimate" lets people stand on the plane of their feet, for a camera that stands still (a ``Ground``
    that is known is given with each image); ``model_path`` the manifest (.json) of a network of your own; ``smpl_path``
    your own body model (.npz).
    ``assemble(PipelineSettings(...))`` takes every setting.

    Raises ManifestError, EngineError, ValueError or OSError, each saying which file or value and why.
    """
    return assemble(
        PipelineSettings(
            model=model,
            backend=backend,
            num_threads=num_threads,
            max_people=max_people,
            detector=DetectorConfig(preset=preset),
            ground=ground,
            model_path=model_path,
            smpl_path=smpl_path,
        )
    )


def open_body(path: str | Path | None = None) -> BodyModel:
    """The shipped open body, or the body model (.npz, SMPL schema) at ``path``.

    >>> open_body().faces.shape
    (13776, 3)

    Raises ValueError, which names the file and the remedy.
    """
    return load_body_model(models_dir() / _BODY if path is None else Path(path))


def assemble(settings: PipelineSettings, parts: SharedParts | None = None) -> Pipeline:
    """Open the networks, or take them from ``parts``, where other cameras of this process have opened them.

    Raises ManifestError, EngineError, ValueError or OSError, each saying which file and why.
    """
    parts = parts or SharedParts()

    def open_network(path: Path) -> Engine:
        return opened.enter_context(contextlib.closing(parts.network(path, settings)))

    with contextlib.ExitStack() as opened:  # none stays open, or goes on building, when another one fails
        models = models_dir()
        body_path = Path(settings.smpl_path) if settings.smpl_path else models / _BODY
        body_model = parts.body_model(body_path)
        detector = _open_detector(settings, open_network)
        method = open_method(settings, body_model, open_network)
        smoother = open_smoother(settings, body_model, open_network)
        pipeline = Pipeline(
            detector.detector,
            Tracker(ids=parts.ids),
            method.estimator,
            smoother.smoother,
            body_model,
            engines=(*detector.engines, *method.engines, *smoother.engines),
            body_model_name=body_path.stem,
            backend=settings.backend,
        )
        pipeline.configure(settings)
        opened.pop_all()
    return pipeline


def _open_detector(settings: PipelineSettings, open_network: Callable[[Path], Engine]) -> OpenDetector:
    """The detector of the preset, or none where another one reports keypoints."""
    if settings.detections.source in ("keypoints", "humans"):
        return OpenDetector(NoSearch(), ())
    return open_detector(settings.detector.preset, open_network)
