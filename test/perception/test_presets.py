# SPDX-License-Identifier: Apache-2.0
"""Presets of the detector: which networks they open, and what they find in real photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.config import DETECTOR_PRESETS, DetectorConfig, HandsConfig, PerceptionSettings
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.photo_labels import read_coco
from hmr_ros.core.skeleton import BLAZEPOSE
from hmr_ros.engines.opening import open_onnx
from hmr_ros.evaluation.photos.reprojection import read_photo
from hmr_ros.perception import presets
from hmr_ros.perception.blazepose_detector import BlazePoseDetector
from hmr_ros.perception.keypoint_detector import KeypointDetector
from hmr_ros.perception.presets import (
    FAST,
    REFINED,
    OpenDetector,
    hand_manifests,
    lifter_manifest,
    open_detector,
    open_hands,
)
from test.perception.test_hand_meshes import Knowing
from test.perception.test_hands import Network

PHOTOS = Path(__file__).parents[1] / "data/photos"


def opened(preset: str) -> OpenDetector:
    found = open_detector(preset, lambda path: open_onnx(path, 1))
    found.detector.configure(PerceptionSettings(detector=DetectorConfig(preset=preset)))
    return found


@pytest.mark.parametrize("preset", DETECTOR_PRESETS)
def test_each_preset_opens_its_networks(preset: str) -> None:
    names: list[Path] = []

    def open_network(path: Path):  # type: ignore[no-untyped-def]
        names.append(path)
        return open_onnx(path, 1)

    found = open_detector(preset, open_network)
    assert [path.stem for path in names] == list(FAST if preset == "fast" else REFINED)
    assert len(found.engines) == len(names)
    assert all(path.parent == models_dir() for path in names)
    assert isinstance(found.detector, BlazePoseDetector if preset == "fast" else KeypointDetector)


@pytest.mark.slow
def test_balanced_finds_the_people_of_a_scene_that_fast_does_not() -> None:
    photos = {photo.path.stem: photo for photo in read_coco(PHOTOS / "labels.json", PHOTOS)}
    image = read_photo(photos["vtest_0200"])
    fast, balanced = (len(opened(preset).detector.detect(image)) for preset in ("fast", "balanced"))
    assert balanced == 8
    assert fast < balanced


@pytest.mark.slow
def test_two_who_walk_side_by_side_share_no_arm() -> None:
    photos = {photo.path.stem: photo for photo in read_coco(PHOTOS / "labels.json", PHOTOS)}
    found = opened("balanced").detector.detect(read_photo(photos["crossing_0071"]))
    elbow = BLAZEPOSE.index("left_elbow")
    seen = found.kp2d_score[:, elbow] >= 0.3
    near = np.hypot(*(found.kp2d[seen, elbow] - (244, 443)).T) < 5
    assert near.sum() == 1, "the elbow of the man; the network sees it in the woman beside him, too"
    assert found.kp2d[seen][near][0, BLAZEPOSE.index("nose"), 0] < 270, "he is the left one of the two"


def open_stub(path: Path) -> Network | Knowing:
    """A network of hands that is never run."""
    return Network(path.stem) if path.stem.startswith("hand_") else Knowing(np.zeros(0), np.zeros(0))


def test_fingers_move_with_the_network_that_is_set() -> None:
    config = HandsConfig(enabled=True, model_path="mine/lifter.json")
    assert [path.stem for path in hand_manifests(config)] == ["hand_recrop", "hand_landmarks", "lifter"]
    found = open_hands(config, load_body_model(models_dir() / "open_body.npz"), open_stub)
    assert found.fingers is not None
    assert [engine.manifest.kind for engine in found.engines] == ["hand_recrop", "hand_landmarks", "hand_pose2mesh"]


def test_without_a_network_fingers_rest_and_the_log_says_so_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    body = load_body_model(models_dir() / "open_body.npz")
    monkeypatch.setattr(presets, "models_dir", lambda: tmp_path)
    config = HandsConfig(enabled=True, network="lite")
    assert lifter_manifest(config) is None
    assert [path.stem for path in hand_manifests(config)] == ["hand_recrop", "hand_landmarks_lite"]
    found = open_hands(config, body, open_stub)
    assert found.fingers is None
    assert caplog.messages == [
        "fingers stay at rest: hand_pose2mesh.json is not among the models; set hands.model_path"
    ]
    (tmp_path / "hand_pose2mesh.json").touch()
    assert lifter_manifest(config) == tmp_path / "hand_pose2mesh.json"
