# SPDX-License-Identifier: Apache-2.0
"""The shipped networks, put together as the settings ask."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from pathlib import Path

from hmr_ros.core.body.body_model import BodyModel, load_body_model
from hmr_ros.core.body.hand_model import SIDES, HandModel, load_hand_model
from hmr_ros.core.config import DetectorConfig, HandsConfig, PipelineSettings, RobotConfig
from hmr_ros.core.manifest import models_dir
from hmr_ros.engines.runtime import Engine
from hmr_ros.engines.variants import int8_of
from hmr_ros.perception.external import NoSearch
from hmr_ros.perception.methods import method_manifests, open_method, open_smoother, smoother_manifests
from hmr_ros.perception.pipeline import Pipeline
from hmr_ros.perception.presets import (
    HAND_MODEL,
    OpenDetector,
    detector_manifests,
    hand_manifests,
    lifter_manifest,
    open_detector,
    open_hands,
)
from hmr_ros.perception.shared import SharedParts
from hmr_ros.perception.tracker import Tracker

_BODY = "open_body.npz"

_WITHOUT_SEARCH = ("keypoints", "humans")
"""Sources of detections that need no network."""


def open_pipeline(
    model: str = "pose2mesh",
    *,
    backend: str = "auto",
    num_threads: int = 0,
    max_people: int = 8,
    preset: str = "balanced",
    ground: str = "none",
    hands: bool = False,
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

    ``model`` is "pose2mesh", "global_to_pixel" or "both"; ``backend`` one of core/config's BACKENDS; ``num_threads``
    the number of CPU threads, 0 for the number of cores, at most 4; ``max_people`` the maximum number of people tracked
    at once; ``preset`` of the detector is "balanced", "accurate" or, for weak machines, "fast" (docs/detection.md);
    ``ground`` "estimate" lets people stand on the plane of their feet, unless the camera moves unknown (a ``Ground``
    that is known is given with each image); ``hands`` locates hands (``Result.hands``), moves fingers (docs/hands.md);
    ``model_path`` the manifest (.json) of a network of your own; ``smpl_path`` your own body model (.npz).
    ``assemble(PipelineSettings(...))`` takes every setting. With OPENBLAS_NUM_THREADS=1 in the environment of your
    program, images take about a third less time (docs/latency.md).

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
            hands=HandsConfig(enabled=hands),
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


def open_hand(side: str = "right", path: str | Path | None = None) -> HandModel:
    """The shipped open hand, or the hand model (.npz, MANO schema) at ``path``: the "left" or the "right" one.

    A file of the other side is mirrored.

    >>> open_hand("left").v_template.shape
    (778, 3)

    Raises ValueError, which names the file and the remedy.
    """
    hand = load_hand_model(models_dir() / HAND_MODEL if path is None else Path(path))
    if side not in SIDES:
        raise ValueError(f"side: expected one of {SIDES}, got {side!r}")
    return hand if hand.side == side else hand.mirrored()


def assemble(
    settings: PipelineSettings, parts: SharedParts | None = None, *, background_search: bool = False
) -> Pipeline:
    """Open the networks, or take them from ``parts``, where other cameras of this process have opened them.

    ``background_search``: whole images are searched in a thread of their own, and no image waits for it while people
    are followed. This is for live images: what is found, and when, depends on the speed of the machine. So do the
    threads of the networks, unless ``settings.num_threads`` sets their number, and whether they run in int8, unless
    ``settings.cpu_precision`` says it.

    Raises ManifestError, EngineError, ValueError or OSError, each saying which file and why.
    """
    parts = parts or SharedParts()
    if settings.cpu_precision == "auto" and not background_search:  # as what is measured decides it
        settings = dataclasses.replace(settings, cpu_precision="fp32")

    def open_network(path: Path) -> Engine:
        network = parts.network(path, settings, adapt_threads=background_search)
        return opened.enter_context(contextlib.closing(network))

    def open_background(path: Path) -> Engine:
        # One thread: the search is in no hurry, and a network's other threads do not have its low priority.
        in_one_thread = dataclasses.replace(settings, num_threads=1)
        return opened.enter_context(contextlib.closing(parts.network(path, in_one_thread, background=True)))

    with contextlib.ExitStack() as opened:  # none stays open, or goes on building, when another one fails
        models = models_dir()
        body_path = Path(settings.smpl_path) if settings.smpl_path else models / _BODY
        body_model = parts.body_model(body_path)
        detector = _open_detector(settings, open_network, open_background if background_search else None)
        method = open_method(settings, body_model, open_network)
        smoother = open_smoother(settings, body_model, open_network)
        hands = open_hands(settings.hands, body_model, open_network) if settings.hands.enabled else None
        pipeline = Pipeline(
            detector.detector,
            Tracker(ids=parts.ids),
            method.estimator,
            smoother.smoother,
            body_model,
            engines=(*detector.engines, *method.engines, *smoother.engines, *(hands.engines if hands else ())),
            body_model_name=body_path.stem,
            backend=settings.backend,
            hand_detector=hands.detector if hands else None,
            fingers=hands.fingers if hands else None,
        )
        pipeline.configure(settings)
        opened.pop_all()
    return pipeline


def assemble_live(config: RobotConfig, parts: SharedParts | None = None) -> Pipeline:
    """``assemble`` for live images: whole images are searched in the background where ``config`` asks for it."""
    return assemble(config, parts, background_search=config.background_search)


def files_opened(settings: PipelineSettings) -> tuple[Path, ...]:
    """The manifests, which hold digests of the networks, and the body model that ``assemble`` opens."""
    body = Path(settings.smpl_path) if settings.smpl_path else models_dir() / _BODY
    searches = settings.detections.source not in _WITHOUT_SEARCH
    hands = _hand_files(settings.hands) if settings.hands.enabled else ()
    finding = detector_manifests(settings.detector.preset) if searches else ()
    int8 = filter(None, map(int8_of, finding)) if settings.cpu_precision == "int8" else ()
    return (
        body,
        *finding,
        *int8,
        *method_manifests(settings),
        *smoother_manifests(settings),
        *hands,
    )


def _hand_files(config: HandsConfig) -> tuple[Path, ...]:
    """The hand model where fingers move, and the manifests of the networks of hands."""
    model = () if lifter_manifest(config) is None else (models_dir() / HAND_MODEL,)
    return (*model, *hand_manifests(config))


def _open_detector(
    settings: PipelineSettings,
    open_network: Callable[[Path], Engine],
    open_background: Callable[[Path], Engine] | None = None,
) -> OpenDetector:
    """The detector of the preset, or none where another one reports keypoints."""
    if settings.detections.source in _WITHOUT_SEARCH:
        return OpenDetector(NoSearch(), ())
    return open_detector(settings.detector.preset, open_network, open_background)
