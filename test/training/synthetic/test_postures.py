# SPDX-License-Identifier: Apache-2.0
"""Postures by the angles that define them, whichever way a person faces."""

import numpy as np
import pytest

from hmr_ros.core.skeleton import SMPL
from hmr_ros.training.synthetic.postures import Posture, posture_of


def posed(**degrees: tuple[float, float, float]) -> np.ndarray:
    """(1, 24, 3) rad of the rest pose with arms down and some joints rotated; ``both_*`` are both sides."""
    given = {"left_shoulder": (0, 0, -80), "right_shoulder": (0, 0, 80)}
    for name, angles in degrees.items():
        sides = ("left", "right") if name.startswith("both_") else ("",)
        given |= {f"{side}_{name[5:]}" if side else name: angles for side in sides}
    pose = np.zeros((1, 24, 3))
    for name, angles in given.items():
        pose[0, SMPL.index(name)] = np.deg2rad(angles)
    return pose


CASES = {
    "standing": (Posture.UPRIGHT, posed()),
    "a runner's leg behind": (Posture.UPRIGHT, posed(left_hip=(10, 0, 0), left_knee=(95, 0, 0))),
    "an arm up": (Posture.REACHING, posed(left_shoulder=(0, 0, 60))),
    "bent over": (Posture.BENDING, posed(pelvis=(70, 0, 0), both_hip=(-70, 0, 0))),
    "on a chair": (Posture.SEATED, posed(both_hip=(-85, 0, 0), both_knee=(85, 0, 0))),
    "on the heels of low feet": (Posture.SEATED, posed(both_hip=(-120, 0, 0), both_knee=(130, 0, 0))),
    "on both knees": (Posture.KNEELING, posed(both_knee=(90, 0, 0))),
    "on one knee": (Posture.KNEELING, posed(left_knee=(90, 0, 0), right_hip=(-85, 0, 0), right_knee=(85, 0, 0))),
    "on all fours": (Posture.KNEELING, posed(pelvis=(85, 0, 0), both_hip=(-85, 0, 0), both_knee=(85, 0, 0))),
    "up from the floor": (Posture.RISING, posed(pelvis=(-50, 0, 0), both_hip=(-60, 0, 0), both_knee=(90, 0, 0))),
    "on the back": (Posture.LYING, posed(pelvis=(-90, 0, 0))),
    "face down": (Posture.LYING, posed(pelvis=(90, 0, 0))),
}


@pytest.mark.parametrize("name", CASES)
def test_postures_are_what_they_are_called(name):
    wanted, pose = CASES[name]
    assert Posture(posture_of(pose)[0]) == wanted


def test_many_are_told_at_once_and_none_is_no_error(monkeypatch):
    monkeypatch.setattr("hmr_ros.training.synthetic.postures._CHUNK", 5)
    together = np.concatenate([pose for _, pose in CASES.values()])
    assert posture_of(together).tolist() == [kind for kind, _ in CASES.values()]
    assert posture_of(together[:0]).shape == (0,)
