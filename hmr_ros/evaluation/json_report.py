# SPDX-License-Identifier: Apache-2.0
"""What every evaluation of `hmr evaluate` says with --json: the rows of its tables."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hmr_ros.core.manifest import atomic_path
from hmr_ros.evaluation.protocols.report import ProtocolReport


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


def write_json(report: Report | ProtocolReport, path: Path | None) -> None:
    """Write the report as JSON; nowhere without a ``path``."""
    if path is None:
        return
    content = {"unit": "mm; pck and depth in percent; placed is a fraction", **dataclasses.asdict(report)}
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
