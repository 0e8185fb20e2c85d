# SPDX-License-Identifier: Apache-2.0
"""At what pace the player shows a source: its own, or the one asked for, and never in a hurry."""

from types import SimpleNamespace

import numpy as np
import pytest

from hmr_ros.core.config import RobotConfig
from hmr_ros.ros.player import player as player_module

IMAGE = np.zeros((4, 4, 3), np.uint8)


class Clock:
    """In place of the module time: sleeping moves it, and so does publishing, by ``publishing_s``."""

    def __init__(self, publishing_s):
        self.now_s = 50.0
        self.publishing_s = publishing_s
        self.shown_s = []

    def monotonic(self):
        return self.now_s

    def sleep(self, seconds):
        assert seconds >= 0
        self.now_s += seconds

    @property
    def context(self):
        return SimpleNamespace(ok=lambda: len(self.shown_s) < 20)

    def publish(self, image):
        self.shown_s.append(self.now_s)
        self.now_s += self.publishing_s[len(self.shown_s) - 1] if self.publishing_s else 0.0


def steps_s(monkeypatch, *, live=False, publishing_s=(), rate_hz=10.0, images=5, loop=False, scenes=()):
    """s between the images that are shown."""
    clock = Clock(publishing_s)
    monkeypatch.setattr(player_module, "time", clock)
    shots = [player_module.Shot(IMAGE, new_scene=k in scenes) for k in range(images)]
    source = SimpleNamespace(live=live, rate_hz=30.0, shots=lambda: iter(shots))
    player_module.play(clock, source, rate_hz, loop=loop)
    return np.diff(clock.shown_s)


def test_a_recording_is_shown_at_the_rate_asked_for(monkeypatch):
    assert steps_s(monkeypatch) == pytest.approx([0.1] * 4)
    assert steps_s(monkeypatch, rate_hz=4.0, publishing_s=[0.02] * 5) == pytest.approx([0.25] * 4)


def test_a_live_source_sets_its_own_pace(monkeypatch):
    assert steps_s(monkeypatch, live=True) == pytest.approx([0] * 4)


def test_a_late_image_makes_the_others_late_but_one(monkeypatch):
    assert steps_s(monkeypatch, publishing_s=[0, 0.35, 0, 0, 0]) == pytest.approx([0.1, 0.35, 0, 0.1])


def test_a_loop_starts_over_at_the_same_pace_until_it_is_stopped(monkeypatch):
    assert steps_s(monkeypatch, loop=True) == pytest.approx([0.1] * 19)


def test_a_new_scene_begins_with_black_and_a_pause(monkeypatch):
    steps = steps_s(monkeypatch, scenes=(2,))
    assert len(steps) == 5, "one more image than the source has"
    assert steps[[0, 4]] == pytest.approx([0.1, 0.1])
    assert steps[1] > RobotConfig().track_timeout_s + 0.1, "all tracks end in it"
    assert steps[2] == pytest.approx(player_module._BLACK_S)
