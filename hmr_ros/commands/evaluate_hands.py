# SPDX-License-Identifier: Apache-2.0
"""`hmr evaluate-hands`: score predicted hands against FreiHAND's evaluation set, or lifted ones on rendered hands.

FreiHAND is free for research; its files come from its web site (docs/hands.md).
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from hmr_ros.core.body.hand_model import HandModel, load_hand_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.engines.opening import open_engine
from hmr_ros.evaluation.hands.freihand import FreiHandReport, HandMeshes, read_meshes, write_meshes
from hmr_ros.evaluation.hands.lifting import lifted_freihand, read_evaluated, read_pixels, scored
from hmr_ros.evaluation.hands.rendered import RenderedReport, evaluate_rendered
from hmr_ros.results.report_file import write_report
from hmr_ros.training.datasets.freihand import SPLITS, FreiHand
from hmr_ros.training.datasets.seen_hands import read_seen_hands

EXAMPLES = (
    "hmr evaluate-hands FreiHAND_pub_v2 pred.json",
    "hmr evaluate-hands FreiHAND_pub_v2 --network models/hand_paper.json --write pred.json",
    "hmr evaluate-hands --rendered hands/val --network models/hand_pose2mesh.json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("root", type=Path, nargs="?", help="directory of FreiHAND, with evaluation_xyz.json and so on")
    parser.add_argument(
        "predictions", type=Path, nargs="?", help="pred.json: [joints (N, 21, 3), vertices (N, 778, 3)], m"
    )
    parser.add_argument("--split", choices=SPLITS, default="evaluation", help="split of FreiHAND (%(default)s)")
    parser.add_argument("--rendered", type=Path, help="instead: directory of hands that `hmr render-hands` wrote")
    parser.add_argument(
        "--network", type=Path, help="manifest of the Pose2Mesh on hands to score, in place of predictions"
    )
    parser.add_argument(
        "--keypoints",
        type=Path,
        help="2D joints that the network reads on FreiHAND, a JSON array (N, 21, 2) px (default: the annotated ones)",
    )
    parser.add_argument("--write", type=Path, help="pred.json to write of what the network finds on FreiHAND")
    parser.add_argument("--json", type=Path, help="JSON file for the report")


def run(args: argparse.Namespace) -> int:
    """Print the table."""
    _check(args)
    report = _of_rendered(args) if args.rendered else _of_freihand(args)
    write_report(args.json, vars(args), dataclasses.asdict(report))
    return 0


def _check(args: argparse.Namespace) -> None:
    if (args.rendered is None) == (args.root is None):
        raise ValueError("expected either FreiHAND's directory or --rendered DIRECTORY")
    if args.root and (args.predictions is None) == (args.network is None):
        raise ValueError(f"{args.root}: expected either a pred.json or --network to score")
    if (args.keypoints or args.write) and not (args.root and args.network):
        raise ValueError("--keypoints, --write: only with FreiHAND's directory and --network")


def _of_rendered(args: argparse.Namespace) -> RenderedReport:
    lifter = open_engine(args.network, "onnxruntime") if args.network else None
    report = evaluate_rendered(read_seen_hands(args.rendered), _open_hand(), lifter)
    print(f"{args.rendered}\n\n{report.table()}")
    return report


def _of_freihand(args: argparse.Namespace) -> FreiHandReport:
    people = read_evaluated(args.root, args.split)
    predicted = _lifted(args, people) if args.network else read_meshes(args.predictions)
    report = scored(predicted, people)
    print(f"{args.network or args.predictions} on {args.root}, {args.split}\n\n{report.table()}")
    return report


def _lifted(args: argparse.Namespace, people: FreiHand) -> HandMeshes:
    pixels = read_pixels(args.keypoints) if args.keypoints else people.pixels
    found = lifted_freihand(people, pixels, open_engine(args.network, "onnxruntime"), _open_hand())
    if args.write:
        write_meshes(found, args.write)
    return found


def _open_hand() -> HandModel:
    return load_hand_model(models_dir() / "open_hand.npz")
