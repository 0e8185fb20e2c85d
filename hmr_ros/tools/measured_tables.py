# SPDX-License-Identifier: Apache-2.0
"""The measured tables of the guides, from docs/tables/*.json, which `make tables` writes: no figure is copied by hand.

Rows are as their reports define them: `evaluation/held_out/report.py`, `sequences/report.py`, `sequences/forecasts.py`,
`ground/report.py` and `smoothing/report.py`.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

MEASURED = Path(__file__).parents[2] / "docs" / "tables"

Row: TypeAlias = dict[str, Any]
"""A row of a report, as JSON has it."""

Cells: TypeAlias = tuple[str, ...]

_SOURCES = ("true", "human36m", "coco")
_SINGLE, _FILTERED, _FUSED = "single images", "one-euro", "fusion"


def markdown(head: Cells, rows: Iterable[Cells]) -> str:
    """A table of ``head`` and ``rows``."""
    lines = [head, ("---",) * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def summary_table() -> str:
    """What a robot gets, with small and with gross errors of the keypoints, in a figure each."""
    return markdown(("", "small errors (*human36m*)", "gross errors (*coco*)"), map(_summarised, _SUMMARY))


def _summarised(name: str) -> Cells:
    return (name, *(_SUMMARY[name](source) for source in ("human36m", "coco")))


def _whole_pose(source: str) -> str:
    (row,) = (r for r in _rows("evaluation") if r["source"] == source and r["part"] == "all seen")
    return f"{row['mpjpe']['mean']:.0f} mm MPJPE, {row['pa_mpjpe']['mean']:.0f} mm PA-MPJPE"


def _any_distance(source: str) -> str:
    (row,) = (r for r in _rows("evaluation") if r["source"] == source and r["grouping"] == "all")
    return f"{row['depth_median']:.1f} %, one in ten more than {row['depth_90']:.0f} %"


def _trembling(source: str) -> str:
    case = _at_30_hz(source)
    return f"{case[_SINGLE]['acceleration']:.0f} -> {case[_FUSED]['acceleration']:.0f} mm per image²"


def _lag(source: str) -> str:
    return f"{_at_30_hz(source)[_FUSED]['lag_ms']:.0f} ms"


def _regions_hold(source: str) -> str:
    return _held("all", source) + " %"


def _straight_knees(source: str) -> str:
    return f"{_at_30_hz(source)[_FUSED]['knees'][0]:+.0f}°"


def _walk_ahead(source: str) -> str:
    rows = (r for r in _rows("forecasts", "forecasts") if (r["source"], r["rate_hz"]) == (source, 30))
    (row,) = (r for r in rows if (r["group"], r["horizon_s"]) == ("all", 0.5))
    return f"{row['root'][-1]:.0f} cm (held: {row['root'][0]:.0f} cm)"


def _at_30_hz(source: str) -> dict[str, Row]:
    (case,) = (c for c in _over_time("all") if (c[_FUSED]["source"], c[_FUSED]["rate_hz"]) == (source, 30))
    return case


_SUMMARY: dict[str, Callable[[str], str]] = {
    "pose of one image, all keypoints seen": _whole_pose,
    "distance, no ground and no depth": _any_distance,
    "trembling of joints at 30 Hz, single images -> fused": _trembling,
    "lag of fused joints": _lag,
    "true joints in the regions of 50, 90 and 95 %": _regions_hold,
    "straight knees are bent too far by (median)": _straight_knees,
    "where the pelvis will be in 0.5 s": _walk_ahead,
}


def held_out_table() -> str:
    """Errors of single images by condition: MPJPE and PA-MPJPE, and distances."""
    by_group: dict[tuple[str, str], dict[str, Row]] = {}
    for row in _rows("evaluation"):
        by_group.setdefault((row["grouping"], row["part"]), {})[row["source"]] = row
    head = ("people", "number", *_SOURCES, *(f"distance, {source}" for source in _SOURCES))
    return markdown(head, (_held_out(*group, found) for group, found in by_group.items()))


def missing_table() -> str:
    """Errors of single images of people some of whose keypoints are never found."""
    cases = {"nothing": "evaluation", "face": "missing_face", "face and feet": "missing_face_and_feet"}
    head = ("missing", "number", *_SOURCES, *(f"distance, {source}" for source in _SOURCES))
    return markdown(head, (_missing(missing, _rows(report)) for missing, report in cases.items()))


def _missing(missing: str, rows: Sequence[Row]) -> Cells:
    return (missing, *_held_out("all", "all", {row["source"]: row for row in rows if row["grouping"] == "all"})[1:])


def _held_out(grouping: str, part: str, found: dict[str, Row]) -> Cells:
    errors = (f"{found[s]['mpjpe']['mean']:.0f}, {found[s]['pa_mpjpe']['mean']:.0f}" for s in _SOURCES)
    distances = (f"{found[s]['depth_median']:.1f} ({found[s]['depth_90']:.1f})" for s in _SOURCES)
    name = part if grouping == part else f"{grouping}: {part}"
    return (name, str(found["true"]["count"]), *errors, *distances)


def fusion_table() -> str:
    """Errors, trembling, lag and coverage of single images, filtered and fused, by keypoints and frame rate."""
    head = (
        *("keypoints", "Hz", "MPJPE-24 of single images", "filtered", "fused"),
        *("acceleration error, mm per image²", "filtered", "fused", "lag, filtered", "fused"),
        *("joints in 50, 90, 95 % regions, filtered", "fused"),
    )
    return markdown(head, map(_fusion, _over_time("all")))


def _fusion(case: dict[str, Row]) -> Cells:
    single, filtered, fused = case[_SINGLE], case[_FILTERED], case[_FUSED]
    return (
        *(single["source"], f"{single['rate_hz']:g}"),
        *(f"{row['mpjpe']['mean']:.1f}" for row in (single, filtered, fused)),
        *(f"{row['acceleration']:.1f}" for row in (single, filtered, fused)),
        *(f"{row['lag_ms']:.0f} ms" for row in (filtered, fused)),
        *(_join(row["coverage"]) for row in (filtered, fused)),
    )


def bends_table() -> str:
    """How far knees and elbows of fused people are bent too much, by the true bend; and how much bones vary."""
    bends = ("straight", "15 to 45°", "more")
    head = ("keypoints", "Hz", *(f"{joint}, {bend}" for joint in ("knees", "elbows") for bend in bends), "bones vary")
    fused = (case[_FUSED] for case in _over_time("all"))
    return markdown(head, (_bends(row) for row in fused if row["rate_hz"] in (10, 30)))


def _bends(row: Row) -> Cells:
    degrees = (f"{value:+.0f}°" for value in (*row["knees"], *row["elbows"]))
    return (row["source"], f"{row['rate_hz']:g}", *degrees, f"{row['bones']:.1f} %")


def regions_table() -> str:
    """Coverage of the regions of fused joints, by condition, at all frame rates: 24 people alone would say little."""
    groups = list(dict.fromkeys(row["group"] for row in _rows("fusion")))
    return markdown(("people", *_SOURCES), (_regions(group) for group in groups))


def _regions(group: str) -> Cells:
    return (group, *(_held(group, source) for source in _SOURCES))


def _held(group: str, source: str) -> str:
    """Percent of joints in the regions of each level, in the images of all frame rates; empty where there are none."""
    rows = [case[_FUSED] for case in _over_time(group) if case[_FUSED]["source"] == source]
    images = sum(row["images"] for row in rows)
    levels = zip(*(row["coverage"] for row in rows), strict=True)
    weights = [row["images"] / images for row in rows]
    return _join([sum(w * held for w, held in zip(weights, level, strict=True)) for level in levels])


def forecasts_table() -> str:
    """Errors of forecasts beside holding still and velocities, by keypoints, frame rate, people and horizon."""
    head = (
        *("keypoints", "Hz", "people", "ahead", "joints, mm: held", "velocity", "forecast"),
        *("root, cm: held", "velocity", "damped", "forecast"),
    )
    chosen = (row for row in _rows("forecasts", "forecasts") if row["rate_hz"] in (10, 30))
    return markdown(head, map(_forecast, chosen))


def _forecast(row: Row) -> Cells:
    joints, root = (f"{e:.0f}" for e in row["joints"]), (f"{e:.1f}" for e in row["root"])
    return (row["source"], f"{row['rate_hz']:g}", row["group"], f"{row['horizon_s']:g} s", *joints, *root)


def ground_table() -> str:
    """Distances, statures and feet of people on known, wrong and no grounds."""
    head = ("ground", "people", "images", "distance", "stature", "floor", "under", "root in 50, 90, 95 %")
    return markdown(head, map(_ground, _rows("ground")))


def _ground(row: Row) -> Cells:
    spreads = (f"{median:.1f} ({high:.1f})" for median, high in (row["distance"], row["stature"]))
    people = f"{row['group']} ({row['people']})"
    numbers = (f"{row['floor_cm']:.1f}", f"{row['under']:.1f}", _join(row["coverage"]))
    return (row["ground"], people, str(row["images"]), *spreads, *numbers)


def smoothing_table() -> str:
    """Filters of positions, by frame rate."""
    head = ("filter of positions", "images/s", "lag, ms", "trailing, mm", "trembling, mm", "jerky, mm", "error, mm")
    return markdown((*head, "skating, mm/s"), map(_smoothing, _rows("smoothing")))


def _smoothing(row: Row) -> Cells:
    figures = ("lag_ms", "trailing_mm", "trembling_mm", "jerkiness_mm", "error_mm", "skating_mm_s")
    return (row["filter"], f"{row['rate_hz']:g}", *(f"{row[name]:.0f}" for name in figures))


def _over_time(group: str) -> Iterator[dict[str, Row]]:
    """The rows of each source and frame rate by output, of ``group``."""
    cases: dict[tuple[str, float], dict[str, Row]] = {}
    for row in _rows("fusion"):
        if row["group"] == group:
            cases.setdefault((row["source"], row["rate_hz"]), {})[row["output"]] = row
    yield from (case for case in cases.values() if _FUSED in case)


def _rows(report: str, table: str = "rows") -> list[Row]:
    """The rows of a ``table`` of docs/tables/``report``.json."""
    rows: list[Row] = _report(MEASURED / f"{report}.json")[table]
    return rows


@functools.cache
def _report(path: Path) -> dict[str, Any]:
    """A report, which several tables are made of."""
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return report


def _join(numbers: Sequence[float | None]) -> str:
    return ", ".join("-" if n is None else f"{n:.0f}" for n in numbers)


MEASURED_TABLES = {
    "summary": summary_table,
    "held_out": held_out_table,
    "missing": missing_table,
    "fusion": fusion_table,
    "bends": bends_table,
    "regions": regions_table,
    "forecasts": forecasts_table,
    "ground": ground_table,
    "smoothing": smoothing_table,
}
