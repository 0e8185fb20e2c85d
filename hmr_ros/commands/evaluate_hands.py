# SPDX-License-Identifier: Apache-2.0
"""`hmr evaluate-hands`: score predicted hands against FreiHAND's evaluation set, or lifted ones on rendered hands.

FreiHAND is free for research; its files come from its web site (docs/hands.md).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

from hmr_ros.core.body.hand_model import load_hand_model
from hmr_ros.core.manifest import atomic_path, models_dir
from hmr_ros.engines.opening import open_engine
from hmr_ros.evaluation.hands.freihand import FreiHandReport, HandMeshes, evaluate_freihand, read_meshes
from hmr_ros.evaluation.hands.rendered import RenderedReport, evaluate_rendered
from hmr_ros.training.datasets.freihand import SPLITS, read_freihand
from hmr_ros.training.datasets.seen_hands import read_seen_hands

EXAMPLES = (
    "hmr evaluate-hands FreiHAND_pub_v2 pred.json",
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
    parser.add_argument("--network", type=Path, help="with --rendered: manifest of the Pose2Mesh on hands to score")
    parser.add_argument("--json", type=Path, help="JSON file for the report")


def run(args: argparse.Namespace) -> int:
    """Print the table."""
    if (args.rendered is None) == (args.predictions is None):
        raise ValueError("expected either FreiHAND's directory and a pred.json, or --rendered DIRECTORY")
    report: FreiHandReport | RenderedReport
    if args.rendered:
        lifter = open_engine(args.network, "onnxruntime") if args.network else None
        hand = load_hand_model(models_dir() / "open_hand.npz")
        report = evaluate_rendered(read_seen_hands(args.rendered), hand, lifter)
        print(f"{args.rendered}\n\n{report.table()}")
    else:
        people = read_freihand(args.root, args.split, versions=("gs",), with_vertices=True)
        report = evaluate_freihand(read_meshes(args.predictions), HandMeshes(people.keypoints, people.vertices))
        print(f"{args.predictions} on {args.root}, {args.split}\n\n{report.table()}")
    if args.json:
        write_json(report, args.json)
    return 0


def write_json(report: FreiHandReport | RenderedReport, path: Path) -> None:
    """Write ``report`` to ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(dataclasses.asdict(report), indent=2) + "\n", encoding="utf-8")
