# SPDX-License-Identifier: Apache-2.0
"""`hmr convert-detector`: convert BlazePose's two networks from the MediaPipe wheel to ONNX with manifests.

The wheel (Apache-2.0) is read, not installed: it is a zip file that holds the two .tflite files.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path

from hmr_ros.conversion.detector.blazepose import DOWNLOAD_COMMAND, SOURCES, convert, unpack
from hmr_ros.core.manifest import file_sha256

EXAMPLES = ("hmr convert-detector --wheel mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--wheel", type=Path, help=f"the MediaPipe wheel; fetch it with: {DOWNLOAD_COMMAND}")
    source.add_argument("--tflite-dir", type=Path, help="a directory with the wheel's two .tflite files")
    parser.add_argument("--out", type=Path, default=Path("models"), help="directory to write to (%(default)s)")


def run(args: argparse.Namespace) -> int:
    """Convert both networks; print a line for each file."""
    args.out.mkdir(parents=True, exist_ok=True)
    if args.tflite_dir:
        _convert_all(args.tflite_dir, args.out, {"directory": args.tflite_dir.name})
        return 0
    with tempfile.TemporaryDirectory() as directory:
        unpack(args.wheel, Path(directory))
        _convert_all(Path(directory), args.out, {"wheel": args.wheel.name, "wheel_sha256": file_sha256(args.wheel)})
    return 0


def _convert_all(directory: Path, out: Path, origin: Mapping[str, str]) -> None:
    for source in SOURCES:
        manifest = convert(source, directory / source.file_name, out, origin)
        print(f"{out / manifest.file}: {(out / manifest.file).stat().st_size / 1e6:.1f} MB from {source.file_name}")
