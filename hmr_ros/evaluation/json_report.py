# SPDX-License-Identifier: Apache-2.0
"""What every evaluation of `hmr evaluate` says with --json: the rows of its tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hmr_ros.evaluation.hands.freihand import FreiHandReport
from hmr_ros.evaluation.protocols.report import ProtocolReport
from hmr_ros.results.report_file import write_report


@dataclass(frozen=True)
class Report:
    """The result: ``rows`` of the table, dataclasses, and ``verdicts`` in words on ``model``, evaluated on ``data``.

    ``forecasts``: the rows of a second table.
    """

    model: str
    data: str
    verdicts: list[str]
    rows: Sequence[object]
    forecasts: Sequence[object] = ()


def write_json(
    path: Path | None, given: Mapping[str, object], report: Report | ProtocolReport | FreiHandReport
) -> None:
    """Write the report of the command with the arguments ``given`` to ``path``; nowhere without one."""
    unit = "mm; pck and depth in percent; placed is a fraction"
    write_report(path, given, {"unit": unit, **dataclasses.asdict(report)})
