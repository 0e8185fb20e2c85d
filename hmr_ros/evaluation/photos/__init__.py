# SPDX-License-Identifier: Apache-2.0
"""``hmr evaluate-photos``: estimated bodies, drawn back into photos, against joints marked by hand.

Every method gets the same detections of the same photos. The score is PCK: the fraction of labelled joints that lie
within a part of the torso's length of their labels. The detector's own keypoints are scored, too: methods start from
them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from hmr_ros.core.arrays import Floats, Image, Int64s
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.body.posing import pose_bodies
from hmr_ros.core.config import RobotConfig
from hmr_ros.core.geometry.camera import ASSUMED_FIELD_OF_VIEW_DEG, focal_length, project
from hmr_ros.core.manifest import atomic_path, load_manifest, models_dir
from hmr_ros.core.people import Camera, Detections
from hmr_ros.core.skeleton import COCO17, JOINT_SETS, convert_keypoints
from hmr_ros.evaluation.photos.labels import LabelledPhoto, read_coco
from hmr_ros.evaluation.photos.regions import image_distances, shadows
from hmr_ros.evaluation.photos.scores import Outcome, Row, as_json, join, summarise, table
from hmr_ros.perception.assemble import Assembly, assemble
from hmr_ros.perception.assignment import assign
from hmr_ros.perception.body_estimator import BodyEstimator
from hmr_ros.perception.similarity import box_iou

METHODS = ("pose2mesh", "global_to_pixel")
THRESHOLDS = (0.2, 0.1)
DETECTOR = "keypoints"
"""Column of the detector's own keypoints."""

_SAME_PERSON = 0.3
"""Least overlap (IoU) of a detection's box with the labelled one."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("labels", type=Path, help="JSON file of labels in COCO's keypoint format")
    parser.add_argument("--photos", type=Path, help="directory of the photos (that of the labels)")
    parser.add_argument(
        "--networks", type=Path, nargs="+", help="manifests (.json) of the networks to compare (those shipped)"
    )
    parser.add_argument(
        "--fov",
        type=float,
        default=ASSUMED_FIELD_OF_VIEW_DEG,
        help="angle of the longer image side in degrees (%(default)s)",
    )
    parser.add_argument("--json", type=Path, help="write the report there, too")


def run(args: argparse.Namespace) -> int:
    """Evaluate and print."""
    photos = read_coco(args.labels, args.photos or args.labels.parent)
    if not photos:
        raise ValueError(f"{args.labels}: expected people with labelled joints, found none")
    assemblies = _open(args.networks or _shipped())
    first = next(iter(assemblies.values())).pipeline
    estimators = {name: assembly.pipeline.estimator for name, assembly in assemblies.items()}
    outcomes = []
    for photo in tqdm(photos, unit="photo"):
        image, camera = read_photo(photo), assumed_camera(photo, args.fov)
        first.detector.reset()
        outcomes.append(score(photo, image, camera, first.detector.detect(image), estimators, first.body_model))
    for assembly in assemblies.values():
        assembly.close()

    outcome, methods = join(outcomes), (DETECTOR, *estimators)
    reports = {threshold: summarise(outcome, threshold) for threshold in THRESHOLDS}
    print(f"{sum(map(len, photos))} people in {len(photos)} photos; {len(outcome.upright)} found and evaluated")
    for threshold, rows in reports.items():
        print(f"\nPCK@{threshold:g} of the torso, percent, 95 % intervals\n{table(rows, methods)}")
    calibrations = {name: estimator.calibration for name, estimator in estimators.items()}
    print("", *shadows(outcome, calibrations, methods), sep="\n")
    if args.json:
        write_json(reports, methods, args.labels, args.json)
    return 0


def score(
    photo: LabelledPhoto,
    image: Image,
    camera: Camera,
    detections: Detections,
    estimators: Mapping[str, BodyEstimator],
    body_model: BodyModel,
) -> Outcome:
    """How far the joints of ``detections``, and of the bodies made of them, are from those of ``photo``.

    Only people who were detected and whose torso is labelled are evaluated: what the detector misses, no method can
    have.
    """
    pairs = matched(photo.boxes, detections.boxes)
    pairs = pairs[np.isfinite(photo.torso()[pairs[:, 0]])]
    labels, seen = pairs[:, 0], detections.take(pairs[:, 1])
    away = [convert_keypoints(seen.kp2d, seen.kp2d_score, JOINT_SETS[seen.joint_set], COCO17)[0] - photo.kp2d[labels]]
    distances = [np.full(away[0].shape[:2], np.nan)]
    for estimator in estimators.values():
        bodies = pose_bodies(seen, estimator.estimate(image, seen, camera), body_model)
        away.append(project(body_model.regressor(COCO17.name) @ bodies.vertices, camera) - photo.kp2d[labels])
        distances.append(image_distances(bodies, away[-1], camera))
    errors = np.nan_to_num(np.linalg.norm(np.stack(away), axis=-1), nan=np.inf, posinf=np.inf)
    errors /= photo.torso()[labels][:, None]
    return Outcome(errors, np.stack(distances), photo.labelled[labels], photo.upright()[labels])


def matched(labels: Floats, detections: Floats) -> Int64s:
    """Pairs (N, 2) of a labelled box and the detected one of the same person."""
    if len(detections) == 0:
        return np.zeros((0, 2), np.int64)
    overlap = box_iou(labels, detections)
    pairs = assign(-overlap)
    return pairs[overlap[pairs[:, 0], pairs[:, 1]] >= _SAME_PERSON]


def read_photo(photo: LabelledPhoto) -> Image:
    """(H, W, 3) uint8 RGB. Raises ValueError for a photo that is absent or not the one that was labelled."""
    image = cv2.imread(str(photo.path), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise ValueError(f"{photo.path}: not an image OpenCV can read; --photos names the directory")
    height, width = image.shape[:2]
    if (width, height) != (photo.width, photo.height):
        raise ValueError(f"{photo.path}: labels are for {photo.width} x {photo.height} px, it has {width} x {height}")
    return np.asarray(image, np.uint8)


def assumed_camera(photo: LabelledPhoto, field_of_view_deg: float) -> Camera:
    """A pinhole camera whose longer image side spans the angle; the principal point is in the centre."""
    focal_px = focal_length(field_of_view_deg, photo.width, photo.height)
    cx, cy = (photo.width - 1) / 2, (photo.height - 1) / 2
    return Camera(np.array([[focal_px, 0, cx], [0, focal_px, cy], [0, 0, 1]]), photo.width, photo.height)


def write_json(reports: Mapping[float, Sequence[Row]], methods: Sequence[str], labels: Path, path: Path) -> None:
    """The tables and what they were made from, as JSON."""
    pck = {f"{threshold:g}": as_json(rows, methods) for threshold, rows in reports.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        report = {"labels": str(labels), "unit": "percent of joints within the fraction of the torso", "pck": pck}
        temporary.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _shipped() -> list[Path]:
    return [path for method in METHODS if (path := models_dir() / f"{method}.json").is_file()]


def _open(manifests: Sequence[Path]) -> dict[str, Assembly]:
    """The networks by name. Raises ValueError for two of one name, and what ``assemble`` raises."""
    assemblies: dict[str, Assembly] = {}
    for path in manifests:
        manifest = load_manifest(path)
        if manifest.name in assemblies:
            raise ValueError(f"{path}: there is another network named {manifest.name!r}")
        assemblies[manifest.name] = assemble(RobotConfig(model=manifest.kind, model_path=str(path), num_threads=1))
    return assemblies
