# SPDX-License-Identifier: Apache-2.0
"""What every evaluation of `hmr evaluate` says with --json: the rows of its tables."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hmr_ros.core.manifest import atomic_path
from hmr_ros.evaluation.hands.freihand import FreiHandReport
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


def write_json(report: Report | ProtocolReport | FreiHandReport, path: Path | None) -> None:
    """Write the report as JSON; nowhere without a ``path``."""
    if path is None:
        return
    content = {"unit": "mm; pck and depth in percent; placed is a fraction", **dataclasses.asdict(report)}
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        temporary.write_text(to_text(content), encoding="utf-8")


def to_text(content: Mapping[str, object]) -> str:
    """``content`` as JSON with one row of a table per line, so that two reports can be compared line by line."""
    parts = [f"{json.dumps(key)}: {_lines(_rounded(value))}" for key, value in content.items()]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _lines(value: object) -> str:
    if not (isinstance(value, list) and value):
        return json.dumps(value)
    return "[\n " + ",\n ".join(map(json.dumps, value)) + "\n]"


def _rounded(value: object) -> object:
    """The floats in ``value`` to four decimals, of what is known to one; null for NaN, which JSON does not have."""
    match value:
        case float():
            return round(value, 4) if math.isfinite(value) else None
        case list() | tuple():
            return [_rounded(part) for part in value]
        case dict():
            return {key: _rounded(part) for key, part in value.items()}
        case _:
            return value
