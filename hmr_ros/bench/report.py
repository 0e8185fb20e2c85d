# SPDX-License-Identifier: Apache-2.0
"""What `hmr bench` prints of a bench, and what it says of the machine."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path

from hmr_ros.bench.protocol import BENCHES, Row
from hmr_ros.results.report_file import versions


def table(name: str, row: Row) -> str:
    """``row`` as text, columns aligned."""
    lines = [f"{name}: {BENCHES[name]}", "  " + ", ".join(f"{key} {value}" for key, value in row["settings"].items())]
    lines += [f"  {key:<58}{value:>12.3f} ms" for key, value in row["medians_ms"].items()]
    lines += [f"  {key:<58}{value:>12.4g}" for key, value in row["figures"].items()]
    lines += [f"  {goal:<58}{'met' if met else 'MISSED':>12}" for goal, met in row["goals"].items()]
    return "\n".join([*lines, *(["", row["table"]] if "table" in row else [])])


def submission(row: Row, machine: Mapping[str, str | int | float]) -> str:
    """The row of ``row`` for the documentation's table of machines, in Markdown; ``machine`` as environment() says."""
    name = f"{machine['cpu']}, {machine['cores']} cores; load {machine['load_average_1min']:.1f}"
    versions = f"Python {machine['python']}, onnxruntime {machine['onnxruntime']}"
    return "| " + " | ".join([name, *row.get("submission", []), versions]) + " |"


def environment() -> dict[str, str | int | float]:
    """The versions of what figures depend on, and the machine."""
    return versions() | machine()


def machine() -> dict[str, str | int | float]:
    """The processor; the load average shows whether other programs were running."""
    return {"cpu": _cpu_name(), "cores": os.cpu_count() or 0, "load_average_1min": os.getloadavg()[0]}


def _cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
