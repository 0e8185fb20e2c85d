# SPDX-License-Identifier: Apache-2.0
"""`hmr evaluate-photos`: score estimated bodies, projected into photos, against joints labelled by hand (PCK).

All networks get the same detections of the same photos. PCK is the fraction of labelled joints whose estimate lies
within a fraction of the torso's length of the label. The detector's own keypoints, which the networks start from, are
scored, too.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from hmr_ros.core.arrays import Image
from hmr_ros.core.config import DETECTOR_PRESETS, KEYPOINT_SOURCES, DetectorConfig, PerceptionSettings, PipelineSettings
from hmr_ros.core.geometry.camera import ASSUMED_FIELD_OF_VIEW_DEG
from hmr_ros.core.manifest import load_manifest, models_dir
from hmr_ros.core.photo_labels import read_coco
from hmr_ros.evaluation.photos.degraded import DEGRADATIONS
from hmr_ros.evaluation.photos.regions import projected_coverage
from hmr_ros.evaluation.photos.reprojection import assumed_camera, read_photo, score
from hmr_ros.evaluation.photos.scores import as_json, join, summarise, table
from hmr_ros.perception.assemble import assemble
from hmr_ros.perception.pipeline import Pipeline
from hmr_ros.results.report_file import write_report

METHODS = ("pose2mesh", "global_to_pixel")
THRESHOLDS = (0.2, 0.1)
DETECTOR = "keypoints"
"""Column of the detector's own keypoints."""


EXAMPLES = (
    "hmr evaluate-photos test/data/photos/labels.json",
    "hmr evaluate-photos test/data/photos/labels.json --preset balanced --degrade grey",
    "hmr evaluate-photos test/data/photos/labels.json --preset fast --keypoints detector",
    "hmr evaluate-photos person_keypoints_val2017.json --photos val2017 --networks models/pose2mesh.json --fov 55",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("labels", type=Path, help="JSON file of labels in COCO's keypoint format")
    parser.add_argument("--photos", type=Path, help="directory of the photos (default: that of the labels)")
    parser.add_argument(
        "--networks",
        type=Path,
        nargs="+",
        help="manifests (.json) of the networks to compare (default: the shipped ones)",
    )
    parser.add_argument(
        "--fov",
        type=float,
        default=ASSUMED_FIELD_OF_VIEW_DEG,
        help="angle of the longer image side in degrees (%(default)s)",
    )
    parser.add_argument(
        "--preset", choices=DETECTOR_PRESETS, default=DetectorConfig().preset, help="of the detector (%(default)s)"
    )
    parser.add_argument(
        "--cpu-precision",
        choices=("fp32", "int8"),
        default="fp32",
        help="arithmetic of the networks that search, where they have a model in int8 (%(default)s)",
    )
    parser.add_argument(
        "--keypoints",
        choices=KEYPOINT_SOURCES,
        default=PerceptionSettings().keypoint_source,
        help="that Global-to-Pixel starts from: the detector's, or its own (%(default)s: parameter keypoint_source)",
    )
    parser.add_argument("--degrade", choices=DEGRADATIONS, help="evaluate copies of the photos that look like this")
    parser.add_argument("--json", type=Path, help="JSON file for the report")


def run(args: argparse.Namespace) -> int:
    """Evaluate and print the tables."""
    photos = read_coco(args.labels, args.photos or args.labels.parent)
    if not photos:
        raise ValueError(f"{args.labels}: expected people with labelled joints, found none")
    networks = args.networks or _shipped()
    pipelines = _open(networks, args.preset, args.cpu_precision, args.keypoints)
    first = next(iter(pipelines.values()))
    _require_precision(first, args.cpu_precision)
    estimators = {name: pipeline.estimator for name, pipeline in pipelines.items()}
    outcomes = []
    for photo in tqdm(photos, unit="photo"):
        image, camera = _copy(read_photo(photo), args.degrade), assumed_camera(photo, args.fov)
        first.detector.reset()
        outcomes.append(score(photo, image, camera, first.detector.detect(image), estimators, first.body_model))
    for pipeline in pipelines.values():
        pipeline.close()

    outcome, methods = join(outcomes), (DETECTOR, *estimators)
    reports = {threshold: summarise(outcome, threshold) for threshold in THRESHOLDS}
    print(f"{sum(map(len, photos))} people in {len(photos)} photos; {len(outcome.upright)} found and evaluated")
    for threshold, rows in reports.items():
        print(f"\nPCK@{threshold:g} of the torso, percent, 95 % intervals\n{table(rows, methods)}")
    calibrations = {name: estimator.calibration for name, estimator in estimators.items()}
    print("", *projected_coverage(outcome, calibrations, methods), sep="\n")
    content = {
        "labels": str(args.labels),
        "unit": "percent of joints within the fraction of the torso",
        "pck": {f"{threshold:g}": as_json(rows, methods) for threshold, rows in reports.items()},
    }
    write_report(args.json, vars(args) | {"networks": networks}, content)
    return 0


def _shipped() -> list[Path]:
    """Manifests of the networks that come with the package."""
    return [path for method in METHODS if (path := models_dir() / f"{method}.json").is_file()]


def _copy(image: Image, degradation: str | None) -> Image:
    """``image`` itself without a ``degradation``."""
    return image if degradation is None else DEGRADATIONS[degradation](image)


def _require_precision(pipeline: Pipeline, precision: str) -> None:
    """Raise ValueError where int8 is asked for, and no network of the pipeline runs in it."""
    if precision == "int8" and not any(
        engine.manifest.provenance.get("precision") == "int8" for engine in pipeline.engines
    ):
        raise ValueError("--cpu-precision int8: no network of this preset has a model in int8 that works; run hmr int8")


def _open(manifests: Sequence[Path], preset: str, cpu_precision: str, keypoints: str) -> dict[str, Pipeline]:
    """The networks by name, each behind the detector of ``preset``.

    Raises ValueError for two of one name, and what ``assemble`` raises.
    """
    pipelines: dict[str, Pipeline] = {}
    for path in manifests:
        manifest = load_manifest(path)
        if manifest.name in pipelines:
            raise ValueError(f"{path}: there is another network named {manifest.name!r}")
        settings = PipelineSettings(
            model=manifest.kind,
            model_path=str(path),
            num_threads=1,
            cpu_precision=cpu_precision,
            keypoint_source=keypoints,
            detector=DetectorConfig(preset=preset),
        )
        pipelines[manifest.name] = assemble(settings)
    return pipelines
