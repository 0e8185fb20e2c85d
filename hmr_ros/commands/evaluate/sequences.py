# SPDX-License-Identifier: Apache-2.0
"""`hmr evaluate --sequences`: poses over time with errors that persist, as the robot publishes them, and forecasts."""

from __future__ import annotations

import argparse
import contextlib

from tqdm import tqdm

from hmr_ros.commands.evaluate.over_time import moving
from hmr_ros.engines.opening import open_engine
from hmr_ros.evaluation.json_report import Report, write_json
from hmr_ros.evaluation.sequences import report
from hmr_ros.evaluation.sequences.forecasts import forecast_rows, forecast_table
from hmr_ros.evaluation.sequences.trial import RATES_HZ, SOURCES, Trial
from hmr_ros.training.lifted import Lifter


def run(args: argparse.Namespace) -> int:
    """Evaluate, and print both tables; the second with a --fusion alone."""
    people = moving(args, "sequences")
    with contextlib.ExitStack() as opened:
        fusion = opened.enter_context(contextlib.closing(open_engine(args.fusion))) if args.fusion else None
        trial = Trial(Lifter(args.model, people.body), people.body, fusion)(people.motion, args.samples, args.seed)
        cases = tqdm(trial, total=len(SOURCES) * len(RATES_HZ), unit="case")
        found = [(report.rows(case), forecast_rows(case)) for case in cases]
    rows, forecasts = [row for each, _ in found for row in each], [row for _, each in found for row in each]
    models = " ".join(str(path) for path in (args.model, args.fusion) if path)
    print(f"{models} over time, {people.data}\n{report.table(rows)}")
    if forecasts:
        print(f"\nforecasts\n{forecast_table(forecasts)}")
    write_json(args.json, vars(args), Report(models, people.data, [], rows, forecasts))
    return 0
