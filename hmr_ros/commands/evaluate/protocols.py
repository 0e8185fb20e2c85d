# SPDX-License-Identifier: Apache-2.0
"""`hmr evaluate --protocol`: frames, joints and errors of a paper's table, on its data set."""

from __future__ import annotations

import argparse

import numpy as np

from hmr_ros.commands.evaluate.held_out import baseline_of, bodies_of
from hmr_ros.core.manifest import file_sha256
from hmr_ros.evaluation.held_out.predictor import open_predictor
from hmr_ros.evaluation.json_report import write_json
from hmr_ros.evaluation.protocols.evaluate import evaluate, read_people
from hmr_ros.evaluation.protocols.registry import PROTOCOLS
from hmr_ros.evaluation.protocols.report import ProtocolReport, described, text, unseen
from hmr_ros.training.datasets.reading import naming
from hmr_ros.training.real.images import ImageDirectory


def run(args: argparse.Namespace) -> int:
    """Evaluate by a protocol, and print what was evaluated on what, and the errors."""
    protocol = PROTOCOLS[args.protocol]
    body, bodies = bodies_of(args)
    predictor = open_predictor(args.model, body)
    people, path = read_people(protocol, args.data, body)
    images = ImageDirectory(args.images or args.data / protocol.dataset)
    compared = [predictor, *baseline_of(args, predictor, body)]
    with naming(path):
        rows = [row for p in compared for row in evaluate(protocol, p, people, body, bodies, images)]
    facts = {
        "protocol": f"{protocol.name}: {protocol.title}",
        "network": f"{predictor.name} ({args.model}, sha256 {file_sha256(args.model)})",
        "body": f"{args.body or 'open_body.npz'}, sha256 {body.sha256}",
        "data": described(path),
        "keypoints": people.kp2d_source + unseen(people),
        "cameras": "of the annotations" if np.isfinite(people.K).all() else "assumed (docs/datasets.md)",
    }
    report = ProtocolReport(protocol.name, str(args.model), facts, rows)
    print(text(report))
    write_json(args.json, vars(args), report)
    return 0
