# SPDX-License-Identifier: Apache-2.0
"""`hmr evaluate`: report the errors of a network on synthetic people of held-out motion or on a licensed data set.

With --protocol, as the papers do (docs/datasets.md).

With --ground, the distances and sizes of moving people on grounds that are true, wrong or estimated; with --smoothing,
how far their positions tremble and trail. With --sequences, people over time, whose keypoints have errors that persist:
errors, lag and trembling of what the robot publishes.

A network that reads images gets rendered images, Pose2Mesh keypoints alone; with --beside, two networks are evaluated
on the same people. ``evaluation/held_out/protocol.py`` defines the errors and groups.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from hmr_ros.commands.evaluate import attention, freihand, ground, held_out, protocols, sequences, smoothing
from hmr_ros.evaluation.baselines import BASELINES
from hmr_ros.evaluation.held_out.predictor import body_of
from hmr_ros.evaluation.protocols.registry import PROTOCOLS
from hmr_ros.training.datasets.readers import READERS
from hmr_ros.training.synthetic.visibility import GROUPS

_PEOPLE = 4000
_OVER_TIME = {"ground": 200, "smoothing": 48, "sequences": 40}
"""Number of people, or for sequences of each case, of the evaluations over time."""

_RUN_OVER_TIME = {"ground": ground.run, "smoothing": smoothing.run, "sequences": sequences.run}

EXAMPLES = (
    "hmr evaluate models/pose2mesh.json --motion motion.npz",
    "hmr evaluate models/global_to_pixel.json --beside models/pose2mesh.json --motion motion.npz --backgrounds photos",
    "hmr evaluate models/pose2mesh.json --baseline smplify --motion motion.npz --samples 200",
    "hmr evaluate models/pose2mesh.json --ground --motion motion.npz",
    "hmr evaluate models/pose2mesh.json --smoothing --motion motion.npz",
    "hmr evaluate models/pose2mesh.json --sequences --fusion models/fusion.json --motion motion.npz",
    "hmr evaluate runs/paper/best.pt --protocol 3dpw --data DATA --body-female f.npz --body-male m.npz",
    "hmr evaluate runs/pose2mesh/best.pt --annotations 3DPW --format 3dpw --body-female f.npz --body-male m.npz",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("model", type=Path, help="manifest (.json) of an exported network, or a checkpoint (.pt)")
    parser.add_argument("--beside", type=Path, help="the other method's network, evaluated on the same people")
    parser.add_argument("--baseline", choices=BASELINES, help="a method without a network on the same people; slow")
    parser.add_argument("--prior", type=Path, help="motion file that tells --baseline likely poses (default: --motion)")
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--motion", type=Path, help="motion file (docs/motion_format.md): evaluate on synthetic people")
    data.add_argument("--shards", type=Path, help="shards of `hmr render`: evaluate on the people in their images")
    data.add_argument("--annotations", type=Path, help="annotations of a data set: evaluate on its people")
    data.add_argument("--data", type=Path, help="directory of the papers' data sets (docs/datasets.md), for --protocol")
    parser.add_argument(
        "--protocol", choices=(*PROTOCOLS, freihand.FREIHAND), help="frames, joints and errors of a paper's table"
    )
    parser.add_argument("--format", choices=READERS, default="3dpw", help="format of --annotations (%(default)s)")
    parser.add_argument("--images", type=Path, help="directory of the annotations' images (default: in --data)")
    parser.add_argument("--split", default="val", help="split of --motion to evaluate on (%(default)s)")
    parser.add_argument("--backgrounds", type=Path, help="directory of images without people (default: procedural)")
    parser.add_argument(
        "--samples",
        type=int,
        help="number of synthetic people (4000; with --ground 200, with --smoothing 48, with --sequences 40 each)",
    )
    over_time = parser.add_mutually_exclusive_group()
    over_time.add_argument("--ground", action="store_true", help="evaluate people on the ground (docs/ground.md)")
    over_time.add_argument(
        "--smoothing", action="store_true", help="evaluate the smoothing of positions (docs/tracking.md)"
    )
    over_time.add_argument("--sequences", action="store_true", help="evaluate poses over time (docs/fusion.md)")
    parser.add_argument("--fusion", type=Path, help="with --sequences: manifest of the fusion network")
    parser.add_argument(
        "--oracle", action="store_true", help="of a checkpoint that reads images: also with the pixels it should match"
    )
    parser.add_argument(
        "--attention", type=Path, help="of a checkpoint that reads images: draw where it looks, .png, and do no more"
    )
    parser.add_argument("--missing", choices=GROUPS, help="keypoints that no synthetic person has")
    for option, what in (("--distance", "distances of synthetic people"), ("--camera-height", "heights of cameras")):
        parser.add_argument(
            option, type=float, nargs=2, metavar=("LOW", "HIGH"), help=f"{what}, m (default: as in training)"
        )
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same people (%(default)s)")
    parser.add_argument("--body", type=Path, help="body model .npz in SMPL's schema (default: the network's)")
    parser.add_argument("--body-female", type=Path, help="the female SMPL model, for annotations made with it")
    parser.add_argument("--body-male", type=Path, help="the male SMPL model")
    parser.add_argument("--json", type=Path, help="JSON file for the report")


def run(args: argparse.Namespace) -> int:
    """Evaluate and print the table: each evaluation has a file ``command.py`` in its directory."""
    if bool(args.protocol) != bool(args.data):
        raise ValueError("--protocol and --data go together: what to evaluate, and where the data sets lie")
    over_time = next((kind for kind in _OVER_TIME if getattr(args, kind)), None)
    args.samples = args.samples or (_OVER_TIME[over_time] if over_time else _PEOPLE)
    if args.missing and (over_time or args.annotations):
        raise ValueError(f"--missing: of synthetic people alone, without --{over_time or 'annotations'}")
    if (args.distance or args.camera_height) and (over_time or args.annotations or args.shards or args.protocol):
        raise ValueError("--distance and --camera-height: of people who are drawn from --motion, one image each")
    if args.oracle and (over_time or args.annotations or args.protocol):
        raise ValueError("--oracle: of synthetic people alone, whose joints are known in their images")
    if args.fusion and not args.sequences:
        raise ValueError("--fusion: fuses poses over time; give --sequences, too")
    if over_time:
        return _RUN_OVER_TIME[over_time](args)
    if args.protocol == freihand.FREIHAND:
        return freihand.run(args)
    args.body = args.body or body_of(args.model)
    if args.attention:
        return attention.run(args)
    return protocols.run(args) if args.protocol else held_out.run(args)
