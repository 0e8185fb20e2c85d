# SPDX-License-Identifier: Apache-2.0
"""Recorded inputs of networks: the pipeline runs on fixed images, and the inputs of its networks are stored.

Real images are from the sample clip; rendered images show one, four and eight open bodies. Networks whose outputs are
inputs of others run in fp32 on the CPU, so that every comparison starts from the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hmr_ros.core.arrays import Array, Image
from hmr_ros.core.body.body_model import BodyModel, load_body_model
from hmr_ros.core.manifest import HAND_KINDS, Manifest, load_manifest, models_dir
from hmr_ros.core.people import Camera, Detections
from hmr_ros.core.share import share_dir

if TYPE_CHECKING:
    from hmr_ros.engines.runtime import Engine
    from hmr_ros.perception.body_estimator import BodyEstimator
    from hmr_ros.perception.detector import Detector

CLIP_IMAGES = 6
CROWDS = (1, 4, 8)
_INTERVAL_S = 0.1

Inputs = Mapping[str, "Array"]

Seen = tuple[Image, Camera]
"""An image (H, W, 3) uint8 RGB and the camera that took it."""


class Recording:
    """An Engine that records its inputs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.given: list[Inputs] = []

    @property
    def manifest(self) -> Manifest:
        """The manifest of the engine."""
        return self._engine.manifest

    @property
    def status(self) -> str:
        """The status of the engine."""
        return self._engine.status

    def run(self, inputs: Inputs) -> dict[str, Array]:
        """Record ``inputs`` and run the engine on them."""
        self.given.append({name: array.copy() for name, array in inputs.items()})
        return self._engine.run(inputs)

    def close(self) -> None:
        """Close the engine."""
        self._engine.close()


def recorded_inputs(manifest_path: Path, images: Iterable[Seen] | None = None) -> list[Inputs]:
    """Inputs of the network beside ``manifest_path`` for ``images`` (None: the fixed ones), in order."""
    from hmr_ros.engines.opening import open_onnx
    from hmr_ros.engines.runtime import default_threads

    threads, kind = default_threads(), load_manifest(manifest_path).kind
    preset = "balanced" if kind in ("person_boxes", "multipose", "keypoints") else "fast"
    engines: dict[str, Recording] = {}

    def opened(path: Path) -> Recording:
        kind_there = load_manifest(path).kind
        engines[kind_there] = Recording(open_onnx(manifest_path if kind_there == kind else path, threads))
        return engines[kind_there]

    seen = list(_images() if images is None else images)
    detector = _detector(preset, opened)
    if kind not in engines:
        opened(manifest_path)
    body_model = load_body_model(models_dir() / "open_body.npz")
    if kind == "fusion":
        _fuse(seen, detector, opened(models_dir() / "pose2mesh.json"), engines[kind], body_model)
    elif kind == "hand_pose2mesh":
        seeing = [opened(models_dir() / f"{name}.json") for name in ("hand_recrop", "hand_landmarks")]
        _lift_hands(seen, detector, seeing, engines[kind])
    else:
        estimator = _estimator(engines[kind], body_model)
        for image, camera in seen:
            detections = _process(detector, estimator, image, camera)
            if kind in HAND_KINDS:
                _show_hands(engines[kind], image, detections)
    for engine in engines.values():
        engine.close()
    return engines[kind].given


def _detector(preset: str, opened: Callable[[Path], Recording]) -> Detector:
    """The detector of ``preset``; that of preset fast finds the small people of the clip."""
    from hmr_ros.core.config import DetectorConfig, PerceptionSettings
    from hmr_ros.perception.presets import open_detector

    detector = open_detector(preset, opened).detector
    detector.configure(PerceptionSettings(detector=DetectorConfig(preset=preset, size="1280x704")))
    return detector


def _estimator(engine: Recording, body_model: BodyModel) -> BodyEstimator | None:
    from hmr_ros.perception.global_to_pixel import GlobalToPixel
    from hmr_ros.perception.pose2mesh import Pose2Mesh

    makers: dict[str, type[Pose2Mesh] | type[GlobalToPixel]] = {
        "pose2mesh": Pose2Mesh,
        "global_to_pixel": GlobalToPixel,
    }
    maker = makers.get(engine.manifest.kind)
    return None if maker is None else maker(engine, body_model)


def _show_hands(network: Recording, image: Image, people: Detections) -> None:
    """Run a hand network on the regions where ``people`` have their hands, however small these are."""
    from hmr_ros.perception.hand_regions import crops
    from hmr_ros.perception.hands import hand_places

    places = hand_places(people)
    if places.known.any():
        size = int(network.manifest.inputs[0].shape[1])
        network.run({"image": crops(image, places.rough[places.known], size)})


def _lift_hands(images: list[Seen], detector: Detector, seeing: list[Recording], network: Recording) -> None:
    """Run ``network`` on the hands that the recrop and the landmark network see in the ``images``."""
    from hmr_ros.perception.assemble import open_hand
    from hmr_ros.perception.hand_meshes import HandLifter
    from hmr_ros.perception.hands import HandDetector

    hands, lifter = HandDetector(*seeing), HandLifter(network, open_hand())
    for image, camera in images:
        detector.reset()
        hands.reset()
        lifter(hands(image, detector.detect(image)), camera)


def _process(detector: Detector, estimator: BodyEstimator | None, image: Image, camera: Camera) -> Detections:
    """Run detector and estimator as on a single photo, without tracking between images; the detections."""
    detector.reset()
    detections = detector.detect(image)
    if estimator is not None and len(detections):
        estimator.estimate(image, detections, camera)
    return detections


def _fuse(images: list[Seen], detector: Detector, lifting: Recording, fusion: Recording, body_model: BodyModel) -> None:
    """Run the fusion as if ``images`` were a video, ``_INTERVAL_S`` apart, with people in the order of detection."""
    from hmr_ros.perception.fusion import PoseFusion
    from hmr_ros.perception.pose2mesh import Pose2Mesh

    estimator, fuse = Pose2Mesh(lifting, body_model), PoseFusion(fusion, body_model)
    for number, (image, camera) in enumerate(images):
        detector.reset()
        detections = detector.detect(image)
        if len(detections):
            estimates = estimator.estimate(image, detections, camera)
            fuse(np.arange(len(detections)), estimates, _INTERVAL_S * number)


def clip_images(first: float = 0.0, last: float = 1.0, count: int = CLIP_IMAGES) -> Iterator[Seen]:
    """``count`` images of the sample clip and its camera, evenly spread from ``first`` to ``last``, 0..1 of it."""
    import cv2
    import yaml

    samples = share_dir() / "samples"
    calibration = yaml.safe_load((samples / "crossing.yaml").read_text(encoding="utf-8"))
    camera = Camera(
        np.array(calibration["camera_matrix"]["data"]).reshape(3, 3),
        calibration["image_width"],
        calibration["image_height"],
        D=np.array(calibration["distortion_coefficients"]["data"]),
    )
    capture = cv2.VideoCapture(str(samples / "crossing.mp4"))
    end = capture.get(cv2.CAP_PROP_FRAME_COUNT) - 1
    for index in np.linspace(first * end, last * end, count).astype(int):
        capture.set(cv2.CAP_PROP_POS_FRAMES, float(index))
        found, image = capture.read()
        if not found:
            raise OSError(f"{samples / 'crossing.mp4'}: no image {index}; install the package again")
        yield np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8), camera
    capture.release()


def rendered_images() -> Iterator[Seen]:
    """Rendered people, CROWDS of them, and the camera."""
    from hmr_ros.evaluation.crowd import CAMERA, crowd_image

    body_model = load_body_model(models_dir() / "open_body.npz")
    for people in CROWDS:
        yield crowd_image(body_model, people), CAMERA


def _images() -> Iterator[Seen]:
    yield from clip_images()
    yield from rendered_images()
