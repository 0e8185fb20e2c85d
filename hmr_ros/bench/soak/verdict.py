# SPDX-License-Identifier: Apache-2.0
"""Samples of a process over time: slopes, goals and the report of ``make soak``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hmr_ros.bench.soak.script import Outcome
from hmr_ros.core.arrays import Float64s

LATER = 0.4
"""Fraction of the time that counts as the start, in which memory may grow."""

MOST_MIB_PER_HOUR = 1.0
MOST_PER_HOUR = 1.0
"""Largest slope of descriptors and of threads."""


@dataclass(frozen=True)
class Sample:
    """The process at ``minute``: resident memory, open descriptors, threads; CPU in cores since the last sample.

    ``images_hz`` were sent and ``bodies_hz`` came back since the last sample; latencies in ms, NaN in an event;
    ``people`` so far.
    """

    minute: float
    rss_mib: float
    descriptors: int
    threads: int
    cpu: float
    images_hz: float
    bodies_hz: float
    latency_p50_ms: float
    latency_p99_ms: float
    people: int


@dataclass(frozen=True)
class Ids:
    """Ids of people: how many were ``seen``, which came again after their end, which never ended."""

    seen: int
    reused: tuple[str, ...]
    left_over: tuple[str, ...]


def slope_per_hour(minutes: Float64s, values: Float64s) -> float:
    """The median of the slopes between all pairs of samples (Theil and Sen): outliers do not count; NaN: too few."""
    first, second = np.triu_indices(len(minutes), 1)
    apart = minutes[second] > minutes[first]
    if not apart.any():
        return float("nan")
    first, second = first[apart], second[apart]
    return float(np.median((values[second] - values[first]) / (minutes[second] - minutes[first])) * 60)


def figures(samples: Sequence[Sample]) -> dict[str, float]:
    """The slopes over the later part, and medians of the whole time."""
    later = [s for s in samples if s.minute >= samples[0].minute + LATER * (samples[-1].minute - samples[0].minute)]
    minutes = np.array([s.minute for s in later])
    slopes = {
        f"{name} per hour": slope_per_hour(minutes, np.array([getattr(s, name) for s in later], np.float64))
        for name in ("rss_mib", "descriptors", "threads")
    }
    known = [s for s in samples if np.isfinite(s.latency_p50_ms)]
    times = {n: float(np.median([getattr(s, n) for s in known])) for n in ("latency_p50_ms", "latency_p99_ms") if known}
    times |= {f"{n}, median": float(np.median([getattr(s, n) for s in samples])) for n in ("images_hz", "bodies_hz")}
    ends = {"rss_mib, first": samples[0].rss_mib, "rss_mib, last": samples[-1].rss_mib}
    return slopes | times | ends | {"cpu, median": float(np.median([s.cpu for s in samples]))}


def goals(
    measured: Mapping[str, float], outcomes: Sequence[Outcome], ids: Ids, exit_status: int | None
) -> dict[str, bool]:
    """Which goals are met."""
    return {
        f"memory grows by less than {MOST_MIB_PER_HOUR:g} MiB/h": measured["rss_mib per hour"] < MOST_MIB_PER_HOUR,
        "descriptors are flat": abs(measured["descriptors per hour"]) < MOST_PER_HOUR,
        "threads are flat": abs(measured["threads per hour"]) < MOST_PER_HOUR,
        "diagnostics said what happened, and that it is over": not any(outcome.wrong for outcome in outcomes),
        "no id was used twice": not ids.reused,
        "all people were LOST in the end": not ids.left_over,
        "it ended with status 0": exit_status == 0,
    }


def as_json(samples: Sequence[Sample], outcomes: Sequence[Outcome]) -> dict[str, list[dict[str, object]]]:
    """Samples and events, as JSON has them."""
    rows = [dataclasses.asdict(sample) for sample in samples]
    clean = [{k: None if v != v else v for k, v in row.items()} for row in rows]  # NaN is no JSON
    return {"samples": clean, "events": [dataclasses.asdict(outcome) for outcome in outcomes]}
