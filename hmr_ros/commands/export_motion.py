# SPDX-License-Identifier: Apache-2.0
"""`hmr export-motion`: write each person's motion as BVH, AMASS .npz, animated glTF, and joint angles with URDF.

The result is bodies.npz or bodies.mcap of `hmr run`, its directory, or any recording with the topic bodies. Each
track is brought to a constant rate; short gaps are filled, at long ones a new file begins. The formats are in
docs/motion_export.md.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from hmr_ros.core.body.body_model import BodyModel, load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.motion.joints_file import joint_motion
from hmr_ros.motion.robot import Robot, read_robot
from hmr_ros.motion.track import Track
from hmr_ros.motion.writing import FORMATS, MotionOptions, tracks_of, write_motion
from hmr_ros.results.floor import LEVEL_CAMERA, floor_of
from hmr_ros.results.opening import read_results
from hmr_ros.results.snapshot import Snapshot

_OPEN_BODY = "open_body"

EXAMPLES = (
    "hmr export-motion out/run/video",
    "hmr export-motion bodies.npz --format bvh,glb --fps 30 --person 1",
    "hmr export-motion bodies.mcap --out motion --max-gap 1",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of `hmr export-motion`."""
    parser.add_argument("result", type=Path, help="bodies.npz, bodies.mcap, the directory of hmr run, or a recording")
    parser.add_argument("--out", type=Path, default=Path("out/motion"), help="directory of the files (%(default)s)")
    parser.add_argument(
        "--format", type=_formats, default=FORMATS, help=f"comma-separated, of {', '.join(FORMATS)} (default: all)"
    )
    parser.add_argument("--fps", type=float, help="frames per second (default: the rate of the images)")
    parser.add_argument("--person", action="append", default=[], metavar="ID", help="repeatable (default: all)")
    parser.add_argument("--max-gap", type=float, default=0.5, help="gaps that are filled, s (%(default)s)")
    parser.add_argument("--min-seconds", type=float, default=1.0, help="shortest track that is written (%(default)s)")
    parser.add_argument(
        "--up", choices=("floor", "camera"), default="floor", help="floor: under people's feet; camera: it looks level"
    )
    parser.add_argument("--robot", type=Path, metavar="TABLE.toml", help="a robot follows each person")
    parser.add_argument("--urdf", type=Path, help="of the robot, for its limits")
    parser.add_argument("--topic", default="", help="topic of the bodies, where a recording has several")
    parser.add_argument("--smpl", type=Path, help="body model of the result, .npz (default: the open body)")


def run(args: argparse.Namespace) -> int:
    """Write the files; 1 where there is no track."""
    options = MotionOptions(frozenset(args.format), args.fps, args.person, args.max_gap, args.min_seconds, _robot(args))
    if ("joints" in options.formats or options.robot) and importlib.util.find_spec("mcap") is None:
        raise RuntimeError("joints: need the Python module mcap: pip install mcap, or --format bvh,amass,glb")
    body_model = load_body_model(args.smpl or models_dir() / f"{_OPEN_BODY}.npz")
    snapshots = read_results(args.result, args.topic, _say)
    _check_body(snapshots, args)
    floor = LEVEL_CAMERA if args.up == "camera" else floor_of(snapshots, body_model)
    tracks = tracks_of(snapshots, floor.floor_from_optical, options, _say)
    for path, track in write_motion(args.out, tracks, body_model, options, is_open_body=args.smpl is None):
        print(f"{path}  {_described(track)}")
    if options.robot is not None:
        _report_held(options.robot, tracks, body_model)
    return 0 if tracks else 1


def _formats(text: str) -> tuple[str, ...]:
    words = tuple(word.strip() for word in text.split(",") if word.strip())
    if not words or set(words) - set(FORMATS):
        raise argparse.ArgumentTypeError(f"expected some of {', '.join(FORMATS)}, got {text!r}")
    return words


def _robot(args: argparse.Namespace) -> Robot | None:
    if (args.robot is None) != (args.urdf is None):
        raise ValueError("--robot and --urdf belong together: the table of joints, and the robot's limits")
    return None if args.robot is None else read_robot(args.robot, args.urdf)


def _report_held(robot: Robot, tracks: Sequence[Track], body_model: BodyModel) -> None:
    for track in tracks:
        held = robot.held(joint_motion(track, body_model).angles)
        if held:
            listed = ", ".join(f"{joint} ({part:.0%})" for joint, part in held.items())
            _say(f"{track.name}: held at the robot's limits in part of the frames: {listed}")


def _check_body(snapshots: tuple[Snapshot, ...], args: argparse.Namespace) -> None:
    """Raise ValueError where the parameters are of another body than the one that is posed."""
    names = {each.body_model for each in snapshots} - {"", _OPEN_BODY}
    if names and args.smpl is None:
        raise ValueError(f"the bodies are of {names.pop()}: give its file with --smpl")


def _described(track: Track) -> str:
    filled = f", {track.filled} of them filled in" if track.filled else ""
    return f"{len(track)} frames at {track.fps:g} fps from {track.start_s:.2f} s on{filled}"


def _say(text: str) -> None:
    print(f"hmr export-motion: {text}", file=sys.stderr)
