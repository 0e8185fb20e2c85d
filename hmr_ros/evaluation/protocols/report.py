# SPDX-License-Identifier: Apache-2.0
"""What a protocol's evaluation reports: the errors, and everything that they depend on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hmr_ros.core.manifest import file_sha256
from hmr_ros.evaluation.protocols.evaluate import ProtocolRow
from hmr_ros.evaluation.protocols.registry import ACCELERATION, AUC, PCK
from hmr_ros.training.datasets.annotated import AnnotatedPeople
from hmr_ros.training.datasets.layouts import files_of

_UNITS = {PCK: "%", AUC: "%", ACCELERATION: "mm/frame²"}


@dataclass(frozen=True)
class ProtocolReport:
    """``rows`` of ``model`` by ``protocol``, and ``facts``: name -> what was evaluated on what."""

    protocol: str
    model: str
    facts: dict[str, str]
    rows: list[ProtocolRow]


def described(path: Path) -> str:
    """``path`` with the SHA-256 of what was read: of several files, that of their hashes in order."""
    files = files_of(path)
    if len(files) == 1:
        return f"{path}, sha256 {file_sha256(path)}"
    joined = hashlib.sha256("".join(map(file_sha256, files)).encode()).hexdigest()
    return f"{path.parent}, {len(files)} files, sha256 {joined}"


def unseen(people: AnnotatedPeople) -> str:
    """How many people have no keypoint at all, in words: what reads keypoints knows nothing of them."""
    count = int((people.kp2d_score <= 0).all(1).sum())
    return f"; {count} people without any" if count else ""


def text(report: ProtocolReport) -> str:
    """The report for people to read."""
    width = max(map(len, report.facts))
    facts = [f"{name.ljust(width)}  {value}" for name, value in report.facts.items()]
    return "\n".join([*facts, "", _table(report.rows)])


def _table(rows: Sequence[ProtocolRow]) -> str:
    metrics = list(dict.fromkeys(metric for row in rows for metric in row.errors))
    headings = ["output", "people", *(f"{metric} ({_UNITS.get(metric, 'mm')})" for metric in metrics)]
    cells = [headings, *([row.output, str(row.count), *(_cell(row, m) for m in metrics)] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(headings))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in cells)


def _cell(row: ProtocolRow, metric: str) -> str:
    return str(row.errors[metric]) if metric in row.errors else "-"
