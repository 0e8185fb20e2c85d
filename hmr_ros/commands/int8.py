# SPDX-License-Identifier: Apache-2.0
"""`hmr int8`: write the int8 model of a network, ``<name>_int8``, for CPUs that multiply bytes, if it stays accurate.

It is calibrated on the first part of the sample clip and on rendered people, and compared with fp32 on the second half
of the clip and on your images. Where its outputs differ by more than `hmr parity` accepts, nothing is written.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hmr_ros.conversion.artefact import write_network
from hmr_ros.core.arrays import Image
from hmr_ros.core.manifest import Manifest, load_manifest, models_dir, verify
from hmr_ros.evaluation.parity.inputs import Inputs, Seen, clip_images, recorded_inputs, rendered_images
from hmr_ros.evaluation.parity.quantities import Distance, distances
from hmr_ros.evaluation.parity.runs import answers, onnx_run

if TYPE_CHECKING:
    from onnx import ModelProto

CALIBRATING, COMPARING = (0.0, 0.3, 12), (0.5, 1.0, 12)
"""First and last image, as fractions of the sample clip, and number of images."""

_CALIBRATING_SIZE = (1280, 720)
"""Width and height of calibrating images, which must be of one shape, px."""

EXAMPLES = (
    "hmr int8",
    "hmr int8 models/nanodet.json --images test/data/photos",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument(
        "models",
        type=Path,
        nargs="*",
        help="manifests (.json) of fp32 networks (default: NanoDet's, which finds people)",
    )
    parser.add_argument("--images", type=Path, help="directory of images on which int8 is compared with fp32, too")


def run(args: argparse.Namespace) -> int:
    """Convert each network; 1 if one was refused."""
    photos = list(read_images(args.images)) if args.images else []
    accepted = [convert_file(path, photos) for path in args.models or [models_dir() / "nanodet.json"]]
    return 0 if all(accepted) else 1


def read_images(directory: Path) -> Iterator[Seen]:
    """The images in ``directory``, each with an assumed camera. Raises ValueError where there are none."""
    from hmr_ros.core.geometry.camera import ASSUMED_FIELD_OF_VIEW_DEG
    from hmr_ros.core.people import Camera
    from hmr_ros.media.images import IMAGE_SUFFIXES, bgr_to_rgb, read_bgr

    paths = sorted(path for path in directory.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    if not paths:
        raise ValueError(f"--images {directory}: no images there ({', '.join(sorted(IMAGE_SUFFIXES))})")
    for path in paths:
        image = bgr_to_rgb(read_bgr(path))
        yield image, Camera.from_fov(ASSUMED_FIELD_OF_VIEW_DEG, image.shape[1], image.shape[0])


def convert_file(path: Path, photos: Sequence[Seen] = ()) -> bool:
    """Write the int8 model beside the manifest ``path`` unless it is refused; whether it was written."""
    import onnx

    from hmr_ros.export.int8 import to_int8

    manifest = load_manifest(path)
    model = onnx.load_model_from_string(verify(manifest, path))
    int8 = to_int8(model, rows(recorded_inputs(path, calibrating_images())))
    found = compare(manifest, model, int8, recorded_inputs(path, [*clip_images(*COMPARING), *photos]))
    figures = ", ".join(map(str, found))
    if not all(distance.accepted for distance in found):
        print(f"{manifest.name}: refused, too far from fp32: {figures}")
        return False
    out = write_int8(int8, manifest, path, found)
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB, from fp32: {figures}")
    return True


def rows(inputs: Sequence[Inputs]) -> list[Inputs]:
    """Each row of each batch as an input of its own: batches have as many rows as there are people."""
    return [
        {name: array[row : row + 1] for name, array in arrays.items()}
        for arrays in inputs
        for row in range(len(next(iter(arrays.values()))))
    ]


def compare(manifest: Manifest, model: ModelProto, int8: ModelProto, inputs: list[Inputs]) -> list[Distance]:
    """How far the outputs of ``int8`` are from those of ``model``, on this machine."""
    reference = answers("fp32", onnx_run(model, manifest), inputs)
    ours = answers("int8", onnx_run(int8, manifest), inputs)
    return distances(manifest.kind, ours.outputs, reference.outputs)


def write_int8(int8: ModelProto, manifest: Manifest, path: Path, found: list[Distance]) -> Path:
    """Write network, then manifest; each appears whole or not at all."""
    from hmr_ros.engines.variants import INT8_SUFFIX
    from hmr_ros.export.int8 import PERCENTILE

    stem, content = path.stem + INT8_SUFFIX, int8.SerializeToString()
    first, last, count = CALIBRATING
    provenance = {
        "command": "hmr int8",
        "precision": "int8",
        "source_sha256": manifest.sha256,
        "calibration": f"{count} images of samples/crossing.mp4, from {first:.0%} to {last:.0%} of it, and rendered "
        f"people, with close-ups and degraded copies; percentile {PERCENTILE}",
        **{key: text for key, text in manifest.provenance.items() if key != "command"},
    }
    made = dataclasses.replace(
        manifest,
        name=manifest.name + INT8_SUFFIX,
        file=f"{stem}.onnx",
        provenance=provenance,
        metrics={**manifest.metrics, **_metrics(found)},
    )
    write_network(content, made, path.parent)
    return path.with_name(made.file)


def _metrics(found: list[Distance]) -> dict[str, float]:
    """The distances from fp32 for the manifest, named from_fp32_boxes_mean_px and so on."""
    metrics: dict[str, float] = {}
    for distance in found:
        name, unit = f"from_fp32_{distance.quantity.name}", distance.quantity.unit
        for what, value in (("mean", distance.mean), ("max", distance.max)):
            metrics["_".join(filter(None, (name, what, unit)))] = round(value, 4)
    return metrics


def calibrating_images() -> Iterator[Seen]:
    """Images of one shape: each as a whole and as a close-up, and a degraded copy of both.

    Without close-ups boxes of large people are off by up to 27 px, with them by 9; without degraded copies more people
    are lost in dark and noisy images (docs/detection.md). The cameras are those of the whole images: networks that
    search images do not need them.
    """
    from hmr_ros.evaluation.photos.degraded import DEGRADATIONS

    degradations = itertools.cycle(DEGRADATIONS.values())
    for image, camera in (*clip_images(*CALIBRATING), *rendered_images()):
        height, width = image.shape[:2]
        for part in (image, image[height // 4 : height - height // 8, width // 3 : width - width // 3]):
            scaled = _scaled(part)
            yield scaled, camera
            yield next(degradations)(scaled), camera


def _scaled(image: Image) -> Image:
    """The middle of ``image``, as much as fits into _CALIBRATING_SIZE, at that size."""
    import cv2

    height, width = image.shape[:2]
    aspect = _CALIBRATING_SIZE[0] / _CALIBRATING_SIZE[1]
    high, wide = min(height, round(width / aspect)), min(width, round(height * aspect))
    top, left = (height - high) // 2, (width - wide) // 2
    middle = np.ascontiguousarray(image[top : top + high, left : left + wide])
    return np.asarray(cv2.resize(middle, _CALIBRATING_SIZE), np.uint8)
