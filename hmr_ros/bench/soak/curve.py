# SPDX-License-Identifier: Apache-2.0
"""The curves of ``make soak`` as an SVG: memory, descriptors, threads and latency over time, and each event."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hmr_ros.bench.soak.script import Outcome
from hmr_ros.bench.soak.verdict import Sample
from hmr_ros.core.arrays import Bools, Float64s, Ints

_WIDTH, _PLOT_HEIGHT, _LEFT, _GAP = 900, 110, 70, 34
_ROWS = (
    ("rss_mib", "memory [MiB]", "#00897b"),
    ("descriptors", "descriptors", "#5e35b1"),
    ("threads", "threads", "#3949ab"),
    ("latency_p50_ms", "latency, median [ms]", "#d81b60"),
)
_LEGEND = "grey: an event; red: one that went wrong. Latency is measured between events alone"


def curve(samples: Sequence[Sample], outcomes: Sequence[Outcome]) -> str:
    """The drawing; an event is a grey line, red where something was wrong, as a line at the bottom says."""
    end = max(samples[-1].minute, 1e-3)
    height = len(_ROWS) * (_PLOT_HEIGHT + _GAP) + _GAP
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif">']
    parts.append(f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>')
    for number, (name, title, color) in enumerate(_ROWS):
        top = _GAP + number * (_PLOT_HEIGHT + _GAP)
        values = np.array([getattr(sample, name) for sample in samples], np.float64)
        parts += _marks(outcomes, end, top)
        parts += _plot(np.array([s.minute for s in samples]), values, end, top, title, color)
    parts.append(f'<text x="{_LEFT}" y="{height - 10}" font-size="12">{_LEGEND}</text>')
    parts.append(f'<text x="{_WIDTH - 60}" y="{height - 10}" font-size="12">{end:.0f} min</text></svg>')
    return "\n".join(parts) + "\n"


def _x(minutes: Float64s | float, end: float) -> Float64s:
    return np.asarray(_LEFT + np.asarray(minutes) / end * (_WIDTH - _LEFT - 20), np.float64)


def _marks(outcomes: Sequence[Outcome], end: float, top: int) -> list[str]:
    return [
        f'<line x1="{_x(o.minute, end):.1f}" x2="{_x(o.minute, end):.1f}" y1="{top}" y2="{top + _PLOT_HEIGHT}" '
        f'stroke="{"#e53935" if o.wrong else "#e8e8e8"}"/>'
        for o in outcomes
    ]


def _plot(minutes: Float64s, values: Float64s, end: float, top: int, title: str, color: str) -> list[str]:
    """Axes and line of one row; gaps where values are NaN."""
    known = np.isfinite(values)
    if not known.any():
        return []
    high = _round_above(float(values[known].max()))
    x, y = _x(minutes, end), top + _PLOT_HEIGHT * (1 - values / high)
    return [
        f'<text x="{_LEFT}" y="{top - 6}" font-size="13">{title}</text>',
        f'<text x="{_LEFT - 8}" y="{top + 10}" font-size="11" text-anchor="end">{high:.4g}</text>',
        f'<text x="{_LEFT - 8}" y="{top + _PLOT_HEIGHT}" font-size="11" text-anchor="end">0</text>',
        f'<path d="M{_LEFT} {top} V{top + _PLOT_HEIGHT} H{_WIDTH - 20}" fill="none" stroke="#999"/>',
        *(_line(x[run], y[run], color) for run in _runs(known)),
    ]


def _round_above(value: float) -> float:
    """The next of 1, 2, 2.5, 3 and 5 times a power of ten that leaves room above ``value``."""
    power = 10.0 ** np.floor(np.log10(max(value, 1e-3)))
    return float(next(step * power for step in (1, 2, 2.5, 3, 5, 10, 20) if step * power > 1.02 * value))


def _runs(known: Bools) -> list[Ints]:
    """The indices of each unbroken run of ``known`` (N,)."""
    indices = np.flatnonzero(known)
    return np.split(indices, np.flatnonzero(np.diff(indices) > 1) + 1)


def _line(x: Float64s, y: Float64s, color: str) -> str:
    """Through the points, or a dot where there is one alone."""
    if len(x) == 1:
        return f'<circle cx="{x[0]:.1f}" cy="{y[0]:.1f}" r="2" fill="{color}"/>'
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    return f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.5"/>'
