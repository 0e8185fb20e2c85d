# SPDX-License-Identifier: Apache-2.0
"""Opening the detector of a preset, with its networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hmr_ros.core.manifest import models_dir
from hmr_ros.engines.runtime import Engine
from hmr_ros.perception.detector import BlazePoseDetector, Detector
from hmr_ros.perception.finder import Finder
from hmr_ros.perception.hands import HandDetector
from hmr_ros.perception.keypoint_detector import KeypointDetector

LANDMARKS = "blazepose_landmarks"
FAST = ("blazepose_detector", LANDMARKS)
"""The networks of preset fast ..."""
REFINED = ("nanodet", "movenet_multipose", "movenet_thunder", LANDMARKS)
"""... and of the others."""
SEARCHING = {"blazepose_detector", "nanodet", "movenet_multipose"}
"""Those that search whole images."""


HAND_RECROP = "hand_recrop"
HAND_LANDMARKS = {"full": "hand_landmarks", "lite": "hand_landmarks_lite"}


@dataclass(frozen=True, eq=False)
class OpenHandDetector:
    """A hand detector with its networks."""

    detector: HandDetector
    engines: tuple[Engine, ...]


@dataclass(frozen=True, eq=False)
class OpenDetector:
    """A detector with its networks."""

    detector: Detector
    engines: tuple[Engine, ...]


def open_hand_detector(network: str, open_network: Callable[[Path], Engine]) -> OpenHandDetector:
    """The hand detector with the landmark ``network`` (config.HAND_NETWORKS).

    Raises ManifestError or EngineError for a network that cannot be used.
    """
    recrop, landmarks = (open_network(path) for path in hand_manifests(network))
    return OpenHandDetector(HandDetector(recrop, landmarks), (recrop, landmarks))


def hand_manifests(network: str) -> tuple[Path, ...]:
    """The manifests of the networks of hands with the landmark ``network``."""
    return tuple(models_dir() / f"{name}.json" for name in (HAND_RECROP, HAND_LANDMARKS[network]))


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
