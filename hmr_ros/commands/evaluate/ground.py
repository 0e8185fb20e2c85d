# SPDX-License-Identifier: Apache-2.0
"""`hmr evaluate --ground`: distances and sizes of moving people on grounds that are true, wrong or estimated."""

from __future__ import annotations

import argparse
import math

from tqdm import tqdm

from hmr_ros.commands.evaluate.over_time import estimating, moving
from hmr_ros.core.records import join_rows
from hmr_ros.evaluation.ground import report
from hmr_ros.evaluation.ground.trial import PEOPLE, Trial
from hmr_ros.evaluation.json_report import Report, write_json


def run(args: argparse.Namespace) -> int:
    """Evaluate, and print the table."""
    people, cameras = moving(args, "ground"), math.ceil(args.samples / PEOPLE)
    with estimating(args, people.body) as estimator:
        trial = Trial(estimator, people.body)(people.motion, cameras, args.seed)
        by_camera = list(tqdm(trial, total=cameras, unit="camera"))
        outcomes = {name: join_rows([found[name] for found in by_camera]) for name in by_camera[0]}
        rows = report.rows(outcomes, estimator.calibration)
    print(f"{args.model} on the ground, {people.data}: percent and cm\n{report.table(rows)}")
    write_json(args.json, vars(args), Report(str(args.model), people.data, [], rows))
    return 0
