# SPDX-License-Identifier: Apache-2.0
"""`hmr bench`: measure the speed of the parts, as ratios within one process on this machine.

Absolute times differ between machines and from hour to hour; the ratio of two calls timed in turns does not. Each bench
is a module of ``hmr_ros/bench``. The exit status is 1 if a goal is missed.
"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path
from typing import cast

from hmr_ros import bench as benches
from hmr_ros.bench.protocol import BENCHES, Bench, BenchSkipped, Options, Row
from hmr_ros.bench.report import environment, machine, submission, table
from hmr_ros.core.config import DETECTOR_PRESETS, DetectorConfig
from hmr_ros.results.report_file import write_report

EXAMPLES = (
    "hmr bench mesh messages --repeats 10",
    "hmr bench ros --quick --source my_clip.mp4 --out bench.json",
    "hmr bench --gpu",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    listed = "; ".join(f"{name}: {line}" for name, line in BENCHES.items())
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"benches to run (all). {listed}")
    parser.add_argument("--gpu", action="store_true", help="run only the bench gpu (docs/gpu.md)")
    parser.add_argument(
        "--submit", action="store_true", help="run only the bench ros, and print its row for docs/latency.md to paste"
    )
    parser.add_argument("--out", type=Path, help="JSON file for the full report")
    parser.add_argument("--quick", action="store_true", help="only the main cases, or fewer images (ros, pipeline)")
    parser.add_argument(
        "--source", type=Path, help="clip or directory of images to play (ros, pipeline; default: the sample clip)"
    )
    parser.add_argument(
        "--preset", choices=DETECTOR_PRESETS, default=DetectorConfig.preset, help="of the detector (ros; %(default)s)"
    )
    parser.add_argument("--repeats", type=int, default=30, help="rounds of timing (%(default)s)")


def run(args: argparse.Namespace) -> int:
    """Run benches and print their tables; 1 if a goal is missed."""
    if unknown := set(args.names) - set(BENCHES):
        raise ValueError(f"no bench is named {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}")
    rows: dict[str, Row] = {}
    options = Options(args.repeats, args.quick, args.source, args.preset)
    for name in _chosen(args):
        try:
            bench = cast(Bench, importlib.import_module(f"{benches.__name__}.{name}"))
            rows[name] = bench.run(options)
        except ModuleNotFoundError as err:
            print(f"{name}: skipped, it needs the Python module {err.name}")
        except BenchSkipped as err:
            print(f"{name}: skipped, {err}")
        else:
            print(table(name, rows[name]))
    if args.submit and "ros" in rows:
        print(f"\nA row for the table of machines in docs/latency.md:\n{submission(rows['ros'], environment())}")
    write_report(args.out, vars(args), {"machine": machine(), "benches": rows})
    return 0 if all(met for row in rows.values() for met in row["goals"].values()) else 1


def _chosen(args: argparse.Namespace) -> list[str]:
    """The benches to run."""
    if args.gpu:
        return ["gpu"]
    return ["ros"] if args.submit else list(args.names or BENCHES)
