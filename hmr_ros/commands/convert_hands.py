# SPDX-License-Identifier: Apache-2.0
"""`hmr convert-hands`: convert MediaPipe's hand networks from its wheel to ONNX with manifests.

The wheel (Apache-2.0) is read, not installed: it is a zip file that holds the three .tflite files.
"""

from __future__ import annotations

import argparse

from hmr_ros.commands import convert_detector
from hmr_ros.conversion.detector.hands import SOURCES

EXAMPLES = ("hmr convert-hands --wheel mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl",)

add_arguments = convert_detector.add_arguments


def run(args: argparse.Namespace) -> int:
    """Convert the networks; print a line for each file."""
    return convert_detector.convert(SOURCES, args)
