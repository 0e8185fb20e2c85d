# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hmr_ros.core.geometry.torso import quarter_turns, torso_tilt
from hmr_ros.core.skeleton import JOINT_SETS


@pytest.mark.parametrize("joint_set", ["coco17", "coco_feet", "blazepose"])
def test_people_are_turned_until_their_torso_is_upright(joint_set: str) -> None:
    joints = JOINT_SETS[joint_set]
    degrees = np.array([0, 40, -40, 50, 90, 130, 140, 180, -90, -130])  # clockwise, as seen in the image
    up = np.stack([np.sin(np.deg2rad(degrees)), -np.cos(np.deg2rad(degrees))], 1)
    pixels, score = np.full((10, joints.size, 2), 300.0), np.zeros((10, joints.size))
    for side in ("left", "right"):
        pixels[:, joints.index(f"{side}_shoulder")] += 80 * up
        score[:, [joints.index(f"{side}_{part}") for part in ("shoulder", "hip")]] = 0.5
    assert quarter_turns(pixels, score, joints, 0.3).tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 3, 3]
    np.testing.assert_allclose(np.rad2deg(torso_tilt(pixels, score, joints, 0.3)), degrees, atol=1e-4)
    assert not quarter_turns(pixels, score, joints, 0.6).any(), "a torso that is not seen turns no person"
    pixels[:] = np.nan
    assert not quarter_turns(pixels, score, joints, 0.3).any()
