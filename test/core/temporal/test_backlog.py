# SPDX-License-Identifier: Apache-2.0
"""Work is saved while images come faster than they are processed, and comes back when there is room for it."""

from __future__ import annotations

import numpy as np
import pytest

from hmr_ros.core.temporal.backlog import Backlog


def run(backlog: Backlog, period_s: float, work_s: float, saving: float, images: int = 60, seed: int = 0) -> list[bool]:
    """Whether a worker was behind before each image; saving work leaves out the fraction ``saving`` of it."""
    rng, states = np.random.default_rng(seed), []
    for _ in range(images):
        states.append(backlog.is_behind)
        full_s = work_s * rng.uniform(0.8, 1.2)
        busy_s = full_s * (1 - saving) if backlog.is_behind else full_s
        backlog.observe(max(period_s - busy_s, 0.0), busy_s, full_s - busy_s)
    return states


@pytest.mark.parametrize("work_s", [0.11, 0.2, 0.5])
def test_a_worker_is_behind_that_never_waits_and_stays_so(work_s: float) -> None:
    assert all(run(Backlog(), 0.1, work_s, saving=0.5)[20:])


@pytest.mark.parametrize("work_s", [0.01, 0.08])
def test_a_worker_that_waits_for_images_is_not_behind(work_s: float) -> None:
    assert not any(run(Backlog(), 0.1, work_s, saving=0.5))


def test_work_comes_back_when_there_is_room_for_all_of_it() -> None:
    backlog = Backlog()
    assert all(run(backlog, 0.1, 0.2, saving=0.6)[20:])
    assert not any(run(backlog, 0.1, 0.06, saving=0.6)[30:])


def test_between_the_two_nothing_changes() -> None:
    work_s, saved_s, period_s = 1.0, 0.4, 1.08
    calm = Backlog()
    for _ in range(50):
        calm.observe(period_s - work_s, work_s, 0.0)
    assert not calm.is_behind
    for _ in range(50):
        calm.observe(0.0, 1.2, 0.0)
    assert calm.is_behind
    for _ in range(50):
        calm.observe(period_s - work_s + saved_s, work_s - saved_s, saved_s)
    assert calm.is_behind


def test_a_camera_that_starts_late_does_not_hide_for_long_that_it_is_too_fast() -> None:
    backlog = Backlog()
    backlog.observe(spare_s=20.0, busy_s=0.2, saved_s=0.0)
    assert all(run(backlog, 0.1, 0.2, saving=0.5)[16:])


def test_images_that_come_too_late_leave_nothing_to_spare() -> None:
    backlog = Backlog()
    backlog.observe_late()
    assert not backlog.is_behind
    backlog.observe(0.05, 0.1, 0.0)
    assert not backlog.is_behind
    for _ in range(30):
        backlog.observe_late()
    assert backlog.is_behind
