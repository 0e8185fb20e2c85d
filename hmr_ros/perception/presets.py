# SPDX-License-Identifier: Apache-2.0
"""Opening the detector of a preset, with its networks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.body.hand_model import load_hand_model
from hmr_ros.core.config import HandsConfig
from hmr_ros.core.manifest import models_dir
from hmr_ros.engines.runtime import Engine
from hmr_ros.perception.blazepose_detector import BlazePoseDetector
from hmr_ros.perception.detector import Detector
from hmr_ros.perception.finder import Finder
from hmr_ros.perception.fingers import Fingers
from hmr_ros.perception.hand_meshes import HandLifter
from hmr_ros.perception.hands import HandDetector
from hmr_ros.perception.keypoint_detector import KeypointDetector

_log = logging.getLogger(__name__)

LANDMARKS = "blazepose_landmarks"
FAST = ("nanodet", LANDMARKS)
"""The networks of preset fast ..."""
REFINED = ("nanodet", "movenet_multipose", "movenet_thunder", LANDMARKS)
"""... and of the others."""
SEARCHING = {"nanodet", "movenet_multipose"}
"""Those that search whole images."""


HAND_MODEL = "open_hand.npz"
HAND_LIFTER = "hand_pose2mesh"
"""The network from the points of a hand to its mesh."""
HAND_RECROP = "hand_recrop"
HAND_LANDMARKS = {"full": "hand_landmarks", "lite": "hand_landmarks_lite"}


@dataclass(frozen=True, eq=False)
class OpenHands:
    """A hand detector and what moves fingers, with their networks; ``fingers`` None: they rest."""

    detector: HandDetector
    fingers: Fingers | None
    engines: tuple[Engine, ...]


@dataclass(frozen=True, eq=False)
class OpenDetector:
    """A detector with its networks."""

    detector: Detector
    engines: tuple[Engine, ...]


def open_hands(config: HandsConfig, body: BodyModel, open_network: Callable[[Path], Engine]) -> OpenHands:
    """The hand detector of ``config``, and the fingers of ``body``; logs why, where these have to rest.

    Raises ManifestError or EngineError for a network that cannot be used, ValueError for a body without such hands.
    """
    recrop, landmarks = (open_network(path) for path in detector_of_hands(config.network))
    detector = HandDetector(recrop, landmarks)
    if (path := lifter_manifest(config)) is None:
        _log.warning("fingers stay at rest: %s is not among the models; set hands.model_path", f"{HAND_LIFTER}.json")
        return OpenHands(detector, None, (recrop, landmarks))
    lifter, hand = open_network(path), load_hand_model(models_dir() / HAND_MODEL)
    return OpenHands(detector, Fingers(HandLifter(lifter, hand), body, hand), (recrop, landmarks, lifter))


def lifter_manifest(config: HandsConfig) -> Path | None:
    """The manifest of the network from points to fingers; None where none is set and none is shipped."""
    if config.model_path:
        return Path(config.model_path)
    shipped = models_dir() / f"{HAND_LIFTER}.json"
    return shipped if shipped.is_file() else None


def detector_of_hands(network: str) -> tuple[Path, ...]:
    """The manifests of the networks that locate hands with the landmark ``network`` (config.HAND_NETWORKS)."""
    return tuple(models_dir() / f"{name}.json" for name in (HAND_RECROP, HAND_LANDMARKS[network]))


def hand_manifests(config: HandsConfig) -> tuple[Path, ...]:
    """The manifests of all networks of hands."""
    lifter = lifter_manifest(config)
    return (*detector_of_hands(config.network), *(() if lifter is None else (lifter,)))


def detector_manifests(preset: str) -> tuple[Path, ...]:
    """The manifests of the networks of ``preset``."""
    return tuple(models_dir() / f"{name}.json" for name in (FAST if preset == "fast" else REFINED))


def open_detector(
    preset: str, open_network: Callable[[Path], Engine], open_background: Callable[[Path], Engine] | None = None
) -> OpenDetector:
    """The detector of ``preset`` (config.DETECTOR_PRESETS); ``configure`` tells it the rest.

    ``open_background`` opens the networks that search; given, they search in the background (``Search``).

    Raises ManifestError or EngineError for a network that cannot be used.
    """
    background = open_background is not None
    open_search = open_background or open_network
    engines = tuple(
        (open_search if path.stem in SEARCHING else open_network)(path) for path in detector_manifests(preset)
    )
    if preset == "fast":
        search, landmarks = engines
        return OpenDetector(BlazePoseDetector(search, landmarks, background_search=background), engines)
    boxes, multipose, keypoints, landmarks = engines
    finder = Finder(boxes, multipose)
    return OpenDetector(KeypointDetector(finder, keypoints, landmarks, background_search=background), engines)
