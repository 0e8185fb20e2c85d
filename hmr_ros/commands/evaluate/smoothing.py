# SPDX-License-Identifier: Apache-2.0
"""`hmr evaluate --smoothing`: how far the positions of moving people tremble and trail."""

from __future__ import annotations

import argparse

from tqdm import tqdm

from hmr_ros.commands.evaluate.over_time import estimating, moving
from hmr_ros.core.records import join_rows
from hmr_ros.evaluation.json_report import Report, write_json
from hmr_ros.evaluation.smoothing import report
from hmr_ros.evaluation.smoothing.trial import Trial


def run(args: argparse.Namespace) -> int:
    """Evaluate, and print the table."""
    people = moving(args, "smoothing")
    with estimating(args, people.body) as estimator:
        trial = Trial(estimator, people.body)(people.motion, args.samples, args.seed)
        rows = report.rows(join_rows(list(tqdm(trial, total=args.samples, unit="person"))))
    print(f"{args.model} over time, {people.data}\n{report.table(rows)}")
    write_json(args.json, vars(args), Report(str(args.model), people.data, [], rows))
    return 0
