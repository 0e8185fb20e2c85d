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
    recrop, landmarks = (open_network(models_dir() / f"{name}.json") for name in (HAND_RECROP, HAND_LANDMARKS[network]))
    return OpenHandDetector(HandDetector(recrop, landmarks), (recrop, landmarks))


def open_detector(preset: str, open_network: Callable[[Path], Engine]) -> OpenDetector:
    """The detector of ``preset`` (config.DETECTOR_PRESETS); ``configure`` tells it the rest.

    Raises ManifestError or EngineError for a network that cannot be used.
    """
    names = FAST if preset == "fast" else REFINED
    engines = tuple(open_network(models_dir() / f"{name}.json") for name in names)
    if preset == "fast":
        search, landmarks = engines
        return OpenDetector(BlazePoseDetector(search, landmarks), engines)
    boxes, multipose, keypoints, landmarks = engines
    return OpenDetector(KeypointDetector(Finder(boxes, multipose), keypoints, landmarks), engines)
