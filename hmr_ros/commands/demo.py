# SPDX-License-Identifier: Apache-2.0
"""`hmr demo`: play a clip through camera process, node and DDS, and write the results.

Three processes communicate over DDS as on a robot: a camera, the node, and this recorder. Writes the clip with meshes
drawn over it (overlay.mp4), a contact sheet (sheet.png), a view of the people in space (space.png) and a recording
of it all (demo.mcap), and prints rates and latencies.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path

from hmr_ros.core.config import GROUNDS, METHODS
from hmr_ros.core.share import share_dir

SAMPLE_RATE_HZ = 4.0
"""The sample clip was recorded at 10 Hz."""

_ROS_MODULES = ("rclpy", "hmr_ros.msg")


EXAMPLES = (
    "hmr demo",
    "hmr demo --hands",
    "hmr demo --source my.mp4 --fov 70 --model both",
    "hmr demo --source 0 --seconds 30 -p max_people:=4",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of `hmr demo`."""
    parser.add_argument(
        "--source",
        help="video, image, directory of images, number or device of a webcam, or URL (default: sample clip)",
    )
    parser.add_argument(
        "--model", choices=METHODS, help="how bodies are estimated (default: the node's); both: methods side by side"
    )
    parser.add_argument(
        "--hands",
        action="store_true",
        help="look for hands and move fingers; without --source on a clip that is rendered (docs/hands.md)",
    )
    parser.add_argument(
        "--ground", choices=GROUNDS, help="ground that people stand on (default: the node's; sample clip: estimate)"
    )
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="directory for the images (%(default)s)")
    parser.add_argument("--seconds", type=float, help="duration (default: the whole source; 20 s of a webcam)")
    parser.add_argument("--rate", type=float, help="images per second (default: the source's own; sample clip: 4)")
    parser.add_argument("--fov", type=float, help="angle of the longer image side in degrees (default: assume 60)")
    parser.add_argument("--camera-info", type=Path, help="YAML file of camera_calibration, instead of --fov")
    parser.add_argument(
        "-p", "--param", action="append", default=[], metavar="NAME:=VALUE", help="parameter of the node, repeatable"
    )


def run(args: argparse.Namespace) -> int:
    """Run the demo; 1 if it could not run, with the reason on stderr."""
    for module in _ROS_MODULES:
        if not _is_importable(module):
            print(f"hmr demo: {module} is missing: run `make demo`, or source your ROS 2 workspace", file=sys.stderr)
            return 1
    from hmr_ros.demo.play import DemoError, Options, play
    from hmr_ros.media.errors import SourceError

    try:
        if args.source is None and args.hands:
            _use_hands(args)
        elif args.source is None:
            _use_sample(args)
        if args.hands:
            args.param = ["hands.enabled:=true", *args.param]
        if args.ground:
            args.param = [f"ground:={args.ground}", *args.param]
        play(
            Options(args.source, args.out, args.model, args.seconds, args.rate, args.fov, args.camera_info, args.param)
        )
        return 0
    except (SourceError, DemoError) as err:
        print(f"hmr demo: {err}", file=sys.stderr)
        return 1


def _use_sample(args: argparse.Namespace) -> None:
    """Fill in the clip that comes with the package, its calibration, a rate and the ground, as the camera stands still.

    Seven people are more than two CPU cores manage at the clip's 10 Hz: it plays slower.
    """
    samples = share_dir() / "samples"
    args.source, args.camera_info = str(samples / "crossing.mp4"), samples / "crossing.yaml"
    args.rate = args.rate or SAMPLE_RATE_HZ
    args.ground = args.ground or "estimate"


def _use_hands(args: argparse.Namespace) -> None:
    """Render the clip of hands, and fill in its camera and a rate that two CPU cores manage."""
    from hmr_ros.demo import hands_clip

    args.out.mkdir(parents=True, exist_ok=True)
    hands_clip.write_clip(args.out / hands_clip.NAME)
    args.source, args.fov = str(args.out / hands_clip.NAME), hands_clip.FOV_DEG
    args.rate = args.rate or SAMPLE_RATE_HZ


def _is_importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
