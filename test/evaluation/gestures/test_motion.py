# SPDX-License-Identifier: Apache-2.0
from collections import Counter

import numpy as np

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.ros4hri.gestures import Gesture
from hmr_ros.core.skeleton import SMPL
from hmr_ros.evaluation.gestures.motion import Rates, motion_rates, table
from hmr_ros.training.datasets.motion import Motion

BODY = load_body_model(models_dir() / "open_body.npz")
FPS = 30.0


def motion() -> Motion:
    """Two clips of 3 s: one raises the left arm twice, for a second each; the other lets both hang."""
    frames = 90
    pose = np.zeros((2 * frames, 24, 3), np.float32)
    pose[:, SMPL.index("left_shoulder"), 2], pose[:, SMPL.index("right_shoulder"), 2] = -1.3, 1.3
    for first in (10, 55):
        pose[first : first + 30, SMPL.index("left_shoulder"), 2] = 1.3
    names = np.array(["a", "b"])
    return Motion(
        pose=pose,
        trans=np.zeros((2 * frames, 3), np.float32),
        clip=np.repeat([0, 1], frames),
        clip_id=names,
        clip_subject=names,
        clip_category=np.array(["raising", "still"]),
        clip_split=np.array(["train", "train"]),
        clip_leg=np.full(2, np.nan, np.float32),
        fps=FPS,
    )


def test_gestures_are_counted_when_they_begin_by_category():
    raising, still = motion_rates(motion(), BODY)
    assert (raising.category, still.category) == ("raising", "still")
    assert raising.begun == Counter({Gesture.LEFT_HAND_RAISED: 2})
    assert not still.begun
    assert abs(raising.minutes - 0.05) < 1e-9


def test_the_table_has_rates_per_minute_and_those_of_all():
    rates = (Rates("a", 2.0, Counter({Gesture.WAVING: 1})), Rates("b", 6.0, Counter()))
    lines = table(rates).splitlines()
    assert lines[2:] == ["| b | 6.0 | none |", "| a | 2.0 | waving 0.50 |", "| all | 8.0 | waving 0.12 |"]
