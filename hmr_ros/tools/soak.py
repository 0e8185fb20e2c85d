# SPDX-License-Identifier: Apache-2.0
"""The node for an hour, with people who come and go, a camera that fails, and all that a robot does to a node:
``make soak``.

Memory, descriptors and threads must stay flat, ids must never be used twice, diagnostics must say what happens and that
it is over. Figures and curve go to out/soak.json and out/soak.svg, the node's log to out/soak.log.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

_OUT = Path(__file__).resolve().parents[2] / "out"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0 where all goals are met, else 1."""
    from tqdm import tqdm

    from hmr_ros.bench.soak.endurance import Plan, run

    options = _parser().parse_args(arguments)
    with tqdm(total=options.minutes, unit="min", bar_format="{l_bar}{bar}| {n:.1f}/{total:g} min") as progress:
        for minute in run(Plan(options.minutes, options.rate, options.networks, options.seed, options.out)):
            progress.update(min(minute, options.minutes) - progress.n)
    return _print(options.out / "soak.json")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="how long (default %(default)g)")
    parser.add_argument("--rate", type=float, default=30.0, help="images per second (default %(default)g)")
    parser.add_argument("--networks", action="store_true", help="with the real networks in place of scripted people")
    parser.add_argument("--seed", type=int, default=0, help="of people and the order of events (default %(default)s)")
    parser.add_argument("--out", type=Path, default=_OUT, help="directory of the results (default %(default)s)")
    return parser


def _print(path: Path) -> int:
    """Print the report at ``path``; 0 where all its goals are met."""
    report = json.loads(path.read_text(encoding="utf-8"))
    for name, value in report["figures"].items():
        print(f"{name}: {value:.4g}")
    for event in report["events"]:
        if event["wrong"]:
            print(f"at {event['minute']} min, {event['name']}: {event['wrong']}")
    for goal, met in report["goals"].items():
        print(f"{'met ' if met else 'MISSED'} {goal}")
    return 0 if all(report["goals"].values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
