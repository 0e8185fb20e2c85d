# SPDX-License-Identifier: Apache-2.0
"""Where the eye is at first."""

import numpy as np
import pytest

pytest.importorskip("rerun")

from hmr_ros.viewing.layout import _view_of

RERUN_FOV_DEG = 55.0


def angles_deg(positions, target, eye):
    """Of ``positions`` (N, 3) from the middle of what ``eye`` sees."""
    axis = (target - eye) / np.linalg.norm(target - eye)
    towards = positions - eye
    return np.rad2deg(np.arccos(towards @ axis / np.linalg.norm(towards, axis=1)))


@pytest.mark.parametrize("spread", [(0.0, 0.0), (1.0, 4.0), (10.0, 5.0)])
def test_the_eye_sees_nearly_all_people_from_behind_the_camera_and_above(spread):
    rng = np.random.default_rng(0)
    positions = rng.normal([12.0, -2.0, 1.0], [*spread, 0.1], (200, 3))
    target, eye = _view_of(positions)
    seen = angles_deg(positions, target, eye) < RERUN_FOV_DEG / 2
    assert seen.mean() > 0.88
    assert eye[0] < target[0]
    assert 2 < eye[2] < 40


def test_the_eye_is_not_farther_than_it_must_be():
    one = np.array([[4.0, 0.0, 1.0]])
    target, eye = _view_of(one)
    assert np.linalg.norm(eye - target) == pytest.approx(3.0)
    far = np.concatenate([np.tile(one, (20, 1)) + [[0, 0.2, 0]], [[200.0, 0.0, 1.0]]])
    assert np.linalg.norm(np.subtract(*_view_of(far))) < 4
