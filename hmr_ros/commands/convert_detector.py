# SPDX-License-Identifier: Apache-2.0
"""`hmr convert-detector`: convert BlazePose's landmark network from the MediaPipe wheel to ONNX with a manifest.

The wheel (Apache-2.0) is read, not installed: it is a zip file that holds the .tflite file.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from hmr_ros.conversion.detector.blazepose import SOURCES
from hmr_ros.conversion.detector.wheel import DOWNLOAD_COMMAND, convert_all

EXAMPLES = ("hmr convert-detector --wheel mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--wheel", type=Path, help=f"the MediaPipe wheel; fetch it with: {DOWNLOAD_COMMAND}")
    source.add_argument("--tflite-dir", type=Path, help="a directory with the wheel's .tflite files")
    parser.add_argument("--out", type=Path, default=Path("models"), help="directory to write to (%(default)s)")


def run(args: argparse.Namespace) -> int:
    """Convert the network; print a line for its file."""
    for line in convert_all(SOURCES, args.wheel, args.tflite_dir, args.out):
        print(line)
    return 0
