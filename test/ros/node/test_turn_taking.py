# SPDX-License-Identifier: Apache-2.0
"""The worker has people followed in turns while the camera is faster than it."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from hmr_ros.perception.pipeline import Result, Timings
from hmr_ros.ros.node import turn_taking
from hmr_ros.ros.node.turn_taking import TurnTaking, saved_s
from test.ros.stubs import some_bodies

TIMINGS = Timings(detect_s=0.06, track_s=1.0, estimate_s=0.02, smooth_s=1.0)


def result(skipped: int = 0, people: int = 6) -> Result:
    bodies = some_bodies(people)
    unseen_s = np.where(np.arange(people) < skipped, 0.1, 0.0)
    return Result(dataclasses.replace(bodies, unseen_s=unseen_s), timings=TIMINGS, skipped=skipped)


def taking(
    monkeypatch: pytest.MonkeyPatch,
    wait_s: float,
    latency_s: float = 0.0,
    limit_s: float = 0.0,
    lingered_s: float = 0.0,
) -> bool:
    """Whether turns are taken after a second of images of 0.1 s of work each, and ``wait_s`` between."""
    now = [0.0]
    monkeypatch.setattr(turn_taking, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    pipeline = SimpleNamespace(in_turns=False)
    turns = TurnTaking(pipeline)  # type: ignore[arg-type]
    for _ in range(20):
        now[0] += wait_s
        turns.begin(now[0], lingered_s)
        now[0] += 0.1
        turns.end(result(4 if pipeline.in_turns else 0), latency_s, limit_s)
    return pipeline.in_turns


def test_turns_are_taken_when_the_next_image_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    assert taking(monkeypatch, wait_s=0.0)
    assert not taking(monkeypatch, wait_s=0.02)


def test_the_wait_for_a_fresher_image_is_no_time_to_spare(monkeypatch: pytest.MonkeyPatch) -> None:
    assert taking(monkeypatch, wait_s=0.02, lingered_s=0.02)
    assert not taking(monkeypatch, wait_s=0.04, lingered_s=0.02)


@pytest.mark.parametrize(("latency_s", "in_turns"), [(0.05, False), (0.09, True)])
def test_a_latency_limit_leaves_less_to_spare(
    monkeypatch: pytest.MonkeyPatch, latency_s: float, in_turns: bool
) -> None:
    assert taking(monkeypatch, wait_s=0.5, latency_s=latency_s, limit_s=0.1) is in_turns


def test_images_that_are_too_late_make_people_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn_taking, "time", SimpleNamespace(perf_counter=iter([0.0, 0.2]).__next__))
    pipeline = SimpleNamespace(in_turns=False)
    turns = TurnTaking(pipeline)  # type: ignore[arg-type]
    turns.begin(0.1, 0.0)
    turns.end(result(), 0.1, 0.0)
    for _ in range(60):
        turns.was_late()
    turns.begin(0.3, 0.0)
    assert pipeline.in_turns


def test_each_skipped_person_saves_as_much_as_one_who_was_looked_at_takes() -> None:
    assert saved_s(result()) == 0
    assert saved_s(result(skipped=4)) == pytest.approx(4 * 0.08 / 2)
    assert saved_s(result(skipped=6)) == pytest.approx(6 * 0.08)
