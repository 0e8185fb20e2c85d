# SPDX-License-Identifier: Apache-2.0
"""`hmr convert-detector`: convert BlazePose's two networks from the MediaPipe wheel to ONNX with manifests.

The wheel (Apache-2.0) is read, not installed: it is a zip file that holds the two .tflite files.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from hmr_ros.conversion.detector.blazepose import SOURCES
from hmr_ros.conversion.detector.wheel import DOWNLOAD_COMMAND, Source, convert_directory, convert_wheel

EXAMPLES = ("hmr convert-detector --wheel mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--wheel", type=Path, help=f"the MediaPipe wheel; fetch it with: {DOWNLOAD_COMMAND}")
    source.add_argument("--tflite-dir", type=Path, help="a directory with the wheel's .tflite files")
    parser.add_argument("--out", type=Path, default=Path("models"), help="directory to write to (%(default)s)")


def run(args: argparse.Namespace) -> int:
    """Convert both networks; print a line for each file."""
    return convert(SOURCES, args)


def convert(sources: Sequence[Source], args: argparse.Namespace) -> int:
    """Convert the networks ``sources`` of the wheel that the command line names; print a line for each file."""
    made = (
        convert_directory(sources, args.tflite_dir, args.out)
        if args.tflite_dir
        else convert_wheel(sources, args.wheel, args.out)
    )
    for line in made:
        print(line)
    return 0
