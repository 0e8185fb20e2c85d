# SPDX-License-Identifier: Apache-2.0
"""What many inputs came to: a page for people, and a table for programs."""

from __future__ import annotations

import html
import importlib.util
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hmr_ros.core.manifest import atomic_path
from hmr_ros.running.many.outcome import Outcome, Row, Status
from hmr_ros.running.many.schedule import duration

PAGE, TABLE = "report.html", "report.parquet"

COLUMNS: dict[str, tuple[str, Callable[[Row], str | int | float]]] = {
    "input": ("string", lambda row: row.path),
    "kind": ("string", lambda row: row.kind),
    "status": ("string", lambda row: row.outcome.status.value),
    "reason": ("string", lambda row: row.outcome.reason),
    "attempts": ("int32", lambda row: row.attempts),
    "images": ("int64", lambda row: row.outcome.summary.images),
    "unreadable": ("int64", lambda row: row.outcome.summary.unreadable),
    "bodies": ("int64", lambda row: row.outcome.summary.bodies),
    "people": ("int64", lambda row: row.outcome.summary.people),
    "footage_s": ("float64", lambda row: row.outcome.summary.footage_s),
    "person_s": ("float64", lambda row: row.outcome.summary.person_s),
    "cpu_s": ("float64", lambda row: row.outcome.cpu_s),
    "wall_s": ("float64", lambda row: row.outcome.wall_s),
    "problems": ("string", lambda row: "\n".join(row.outcome.problems)),
    "result": ("string", lambda row: row.outcome.result),
}
"""Column -> its type in Arrow, and its value."""

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 75em; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: 1em 0; width: 100% }
th, td { text-align: left; padding: .25em .7em; border-bottom: 1px solid #ddd; vertical-align: top }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }
.failed { color: #b00020 }
dl { display: grid; grid-template-columns: max-content auto; gap: .2em 1.5em } dd { margin: 0 }
"""


@dataclass(frozen=True)
class Totals:
    """Sums over all inputs that have results; ``new_images`` and ``cpu_s`` are of this call, which took ``wall_s``."""

    counts: dict[Status, int]
    images: int
    unreadable: int
    people: int
    footage_s: float
    person_s: float
    new_images: int
    cpu_s: float
    wall_s: float

    @property
    def images_per_s(self) -> float:
        """New images per second of this call."""
        return self.new_images / self.wall_s if self.wall_s else 0.0


def totals(rows: Iterable[Row], wall_s: float) -> Totals:
    """The sums over ``rows``; the call took ``wall_s``."""
    outcomes = [row.outcome for row in rows]
    summaries = [outcome.summary for outcome in outcomes if outcome.result]
    new = [outcome for outcome in outcomes if outcome.status is Status.DONE]
    return Totals(
        {status: sum(outcome.status is status for outcome in outcomes) for status in Status},
        sum(summary.images for summary in summaries),
        sum(summary.unreadable for summary in summaries),
        sum(summary.people for summary in summaries),
        sum(summary.footage_s for summary in summaries),
        sum(summary.person_s for summary in summaries),
        sum(outcome.summary.images for outcome in new),
        sum(outcome.cpu_s for outcome in outcomes if outcome.status is not Status.FOUND),
        wall_s,
    )


def write(rows: Sequence[Row], wall_s: float, directory: Path) -> list[Path]:
    """Write the report into ``directory``: the page, and the table where pyarrow is installed. Returns the files."""
    written = [directory / PAGE]
    with atomic_path(written[0]) as temporary:
        temporary.write_text(page(rows, totals(rows, wall_s)), encoding="utf-8")
    if importlib.util.find_spec("pyarrow") is not None:
        written.append(directory / TABLE)
        with atomic_path(written[1]) as temporary:
            _write_table(rows, temporary)
    return written


def summary_lines(sums: Totals) -> list[tuple[str, str]]:
    """What is said of all inputs together: names and values."""
    counts = ", ".join(f"{count} {_WORDS[status]}" for status, count in sums.counts.items() if count)
    lines = [
        ("inputs", counts),
        ("images", f"{sums.images}" + (f", {sums.unreadable} more could not be read" if sums.unreadable else "")),
        ("footage", hours(sums.footage_s)),
        ("person-hours", hours(sums.person_s)),
        ("people", f"{sums.people}, each input's counted by itself"),
    ]
    if sums.new_images:
        lines.append(("speed", f"{sums.images_per_s:.1f} images/s for {duration(sums.wall_s)}"))
        lines.append(("CPU time", f"{1000 * sums.cpu_s / sums.new_images:.0f} ms per image"))
    return lines


def hours(seconds: float) -> str:
    """``seconds`` as hours with three digits, or as they are where they are few.

    >>> hours(5400), hours(7.25)
    ('1.50 h', '7.2 s')
    """
    return f"{seconds / 3600:#.3g} h" if seconds >= 360 else f"{seconds:.1f} s"


_WORDS = {Status.DONE: "done", Status.FOUND: "done before", Status.FAILED: "failed", Status.INTERRUPTED: "interrupted"}


def page(rows: Sequence[Row], sums: Totals) -> str:
    """The report as one HTML file that needs nothing else; results are links beside it."""
    failed = [row for row in rows if not row.outcome.result]
    parts = [
        "<!doctype html><meta charset=utf-8><title>hmr run</title>",
        f"<style>{_STYLE}</style><h1>Bodies in {len(rows)} inputs</h1>",
        f"<dl>{''.join(f'<dt>{name}<dd>{_text(value)}' for name, value in summary_lines(sums))}</dl>",
    ]
    if failed:
        parts.append("<h2>Failures</h2>" + _table(("input", "attempts", "reason"), map(_failure, failed)))
    head = ("input", "result", "images", "people", "footage, s", "person-s", "images per CPU s", "problems")
    return "\n".join([*parts, "<h2>All</h2>", _table(head, map(_line, rows)), ""])


def _failure(row: Row) -> tuple[str, ...]:
    reason = row.outcome.reason or _WORDS[row.outcome.status]
    return _text(row.path), str(row.attempts), f"<span class=failed>{_text(reason)}</span>"


def _line(row: Row) -> tuple[str, ...]:
    outcome, summary = row.outcome, row.outcome.summary
    return (
        _text(row.path),
        f'<a href="{_text(outcome.result)}/">{_WORDS[outcome.status]}</a>' if outcome.result else _status(outcome),
        str(summary.images),
        str(summary.people),
        f"{summary.footage_s:.1f}",
        f"{summary.person_s:.1f}",
        f"{summary.images / outcome.cpu_s:.1f}" if outcome.cpu_s and outcome.result else "",
        "<br>".join(map(_text, outcome.problems)),
    )


def _status(outcome: Outcome) -> str:
    return f"<span class=failed>{_WORDS[outcome.status]}</span>"


def _text(text: str) -> str:
    return html.escape(text, quote=True)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells are HTML; those that begin with a digit are numbers."""
    lines = ["<tr>" + "".join(f"<th>{cell}" for cell in head)]
    lines += ["<tr>" + "".join(f"<td{' class=n' if cell[:1].isdigit() else ''}>{cell}" for cell in row) for row in rows]
    return "<table>" + "\n".join(lines) + "</table>"


def _write_table(rows: Sequence[Row], path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    schema = pyarrow.schema([(name, pyarrow.type_for_alias(kind)) for name, (kind, _) in COLUMNS.items()])
    columns = {name: [value(row) for row in rows] for name, (_, value) in COLUMNS.items()}
    pyarrow.parquet.write_table(pyarrow.table(columns, schema=schema), path)
