# SPDX-License-Identifier: Apache-2.0
"""``hmr bench``: how fast the parts are, as ratios within one process on this machine.

Absolute times differ from machine to machine and hour to hour; a ratio of two things measured in turns does not. Each
bench is a module here with ``run(options) -> Row``.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired, Protocol, TypedDict, cast

from hmr_ros.core.manifest import atomic_path

BENCHES = {
    "mesh": "Pose2Mesh's mesh network: deployed form and our default against plain sparse PyTorch",
    "messages": "messages: mesh written straight into CDR against Point objects",
    "training": "Global-to-Pixel's training: samples made, samples learnt from, memory",
    "gpu": "the networks on this machine's GPU: ms per person against its limits",
    "ros": "the node over DDS: rates, people, outputs, own overhead (docs/latency.md)",
    "capsules": "collision capsules: how much of the body they contain, and how much more",
    "render": "training images: how many per second of a core, and where the time goes",
}
"""Module in this package -> what it measures."""

PACKAGES = ("numpy", "torch", "onnxruntime", "rclpy")


class BenchSkipped(RuntimeError):  # noqa: N818  # nothing went wrong
    """A bench has nothing to measure on this machine; the message says why."""


@dataclass(frozen=True)
class Options:
    """``repeats``: times that each thing is measured; ``quick``: only the most telling cases; ``source``: a clip."""

    repeats: int
    quick: bool = False
    source: Path | None = None


class Row(TypedDict):
    """What a bench returns: what was measured, medians in ms, figures made of them, and whether each goal is met.

    For the JSON alone: ``cases`` has everything that was measured in each situation, ``sha256`` the files that went in.
    """

    settings: dict[str, str | int | float | list[int]]
    medians_ms: dict[str, float]
    figures: dict[str, float]
    goals: dict[str, bool]
    cases: NotRequired[list[dict[str, object]]]
    sha256: NotRequired[dict[str, str]]


class Bench(Protocol):
    """The module of a bench."""

    def run(self, options: Options) -> Row:
        """Measure."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    listed = "; ".join(f"{name}: {line}" for name, line in BENCHES.items())
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"benches to run (all). {listed}")
    parser.add_argument("--gpu", action="store_true", help="run gpu alone; see docs/gpu.md")
    parser.add_argument("--out", type=Path, help="write everything there as JSON, too")
    parser.add_argument("--quick", action="store_true", help="only the most telling cases, where there are many (ros)")
    parser.add_argument(
        "--source", type=Path, help="clip or directory of images to play (ros; default: the sample clip)"
    )
    parser.add_argument("--repeats", type=int, default=30, help="times that each thing is measured (%(default)s)")


def run(args: argparse.Namespace) -> int:
    """Run benches, print a table; 1 if a goal is missed."""
    if unknown := set(args.names) - set(BENCHES):
        raise ValueError(f"no bench is named {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}")
    rows: dict[str, Row] = {}
    options = Options(args.repeats, args.quick, args.source)
    for name in ["gpu"] if args.gpu else args.names or BENCHES:
        try:
            bench = cast(Bench, importlib.import_module(f"{__name__}.{name}"))
            rows[name] = bench.run(options)
        except ModuleNotFoundError as err:
            print(f"{name}: skipped, it needs the Python module {err.name}")
        except BenchSkipped as err:
            print(f"{name}: skipped, {err}")
        else:
            print(table(name, rows[name]))
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(args.out) as temporary:
            report = {"environment": environment(), "benches": rows}
            temporary.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0 if all(met for row in rows.values() for met in row["goals"].values()) else 1


def table(name: str, row: Row) -> str:
    """``row`` for people."""
    lines = [f"{name}: {BENCHES[name]}", "  " + ", ".join(f"{key} {value}" for key, value in row["settings"].items())]
    lines += [f"  {key:<58}{value:>12.3f} ms" for key, value in row["medians_ms"].items()]
    lines += [f"  {key:<58}{value:>12.4g}" for key, value in row["figures"].items()]
    lines += [f"  {goal:<58}{'met' if met else 'MISSED':>12}" for goal, met in row["goals"].items()]
    return "\n".join(lines)


def environment() -> dict[str, str | int | float]:
    """Machine and versions; the load average tells whether the machine was busy with something else."""
    versions: dict[str, str | int | float] = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "absent"
    return versions | {"cpu": _cpu_name(), "cores": os.cpu_count() or 0, "load_average_1min": os.getloadavg()[0]}


def _cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
