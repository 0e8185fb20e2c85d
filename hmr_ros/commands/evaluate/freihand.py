# SPDX-License-Identifier: Apache-2.0
"""`hmr evaluate --protocol freihand`: a Pose2Mesh on hands by FreiHAND's official metrics, on its evaluation set.

`hmr evaluate-hands` scores predictions, other 2D joints and rendered hands, too.
"""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path

from hmr_ros.core.body.hand_model import load_hand_model
from hmr_ros.core.manifest import file_sha256, load_manifest, models_dir
from hmr_ros.engines.opening import open_engine
from hmr_ros.evaluation.hands.lifting import lifted_freihand, read_evaluated, scored
from hmr_ros.evaluation.json_report import write_json

FREIHAND = "freihand"
"""The protocol, and the directory of the data set in that of the papers' data sets."""

_KIND = "hand_pose2mesh"


def run(args: argparse.Namespace) -> int:
    """Evaluate on the annotated 2D joints, and print the errors."""
    kind = load_manifest(args.model).kind if args.model.suffix == ".json" else "checkpoint"
    if kind != _KIND:
        raise ValueError(
            f"{args.model}: --protocol {FREIHAND} expects the manifest (.json) of a {_KIND!r}, got {kind!r}"
        )
    root = _directory(args.data)
    people = read_evaluated(root, "evaluation")
    hand = load_hand_model(models_dir() / "open_hand.npz")
    with contextlib.closing(open_engine(args.model, "onnxruntime")) as engine:
        found = lifted_freihand(people, people.pixels, engine, hand)
    report = scored(found, people)
    print(f"{args.model}, sha256 {file_sha256(args.model)}, on the annotated 2D joints of {root}\n\n{report.table()}")
    write_json(args.json, vars(args), report)
    return 0


def _directory(data: Path) -> Path:
    """FreiHAND's own directory, or that of all data sets."""
    inside = data / FREIHAND
    return inside if inside.is_dir() else data
