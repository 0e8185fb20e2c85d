# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from hmr_ros.networks.global_to_pixel.movenet_keypoints import MIN_SCORE, soft_keypoints
from hmr_ros.networks.global_to_pixel.movenet_trunk import POINTS, Heads

HEIGHT, WIDTH = 64, 48
NOSE, LEFT_ANKLE = 0, 15
NOTHING = -12.0


@pytest.fixture
def heads() -> Heads:
    """One person whose centre is cell (30, 20) and whose keypoints are guessed to be there."""
    logits = (torch.full((1, n, HEIGHT, WIDTH), NOTHING) for n in (1, POINTS))
    regression, offsets = torch.zeros(2, 1, 2 * POINTS, HEIGHT, WIDTH)
    heads = Heads(*logits, regression, offsets)
    heads.centre[0, 0, 30, 20] = 2
    return heads


@pytest.fixture
def feet() -> torch.Tensor:
    return torch.full((1, 4, HEIGHT, WIDTH), NOTHING)


def test_a_keypoint_is_the_peak_and_its_offset(heads, feet):
    heads.heatmaps[0, NOSE, 10, 8] = 1
    heads.offsets[0, 2 * NOSE : 2 * NOSE + 2, 10, 8] = torch.tensor([0.25, 0.75])
    keypoints = soft_keypoints(heads, feet).keypoints[0]
    torch.testing.assert_close(
        keypoints[NOSE], torch.tensor([8.75 / WIDTH, 10.25 / HEIGHT, torch.tensor(1.0).sigmoid()])
    )
    assert (keypoints[1:, 2] == 0).all()


def test_the_peak_nearer_to_the_guess_is_taken(heads, feet):
    """Another person's nose scores higher, but the centre in the middle says where this one's is."""
    heads.heatmaps[0, NOSE, 50, 40] = 3
    heads.heatmaps[0, NOSE, 12, 8] = 0
    heads.regression[0, 2 * NOSE : 2 * NOSE + 2, 30, 20] = torch.tensor([-20.0, -12.0])
    assert soft_keypoints(heads, feet).keypoints[0, NOSE, 1] == 12 / HEIGHT


def test_the_centre_in_the_middle_is_taken(heads, feet):
    heads.centre[0, 0, 2, 2] = 4
    heads.heatmaps[0, NOSE, 30, 20] = heads.heatmaps[0, NOSE, 2, 2] = 0
    assert soft_keypoints(heads, feet).keypoints[0, NOSE, 1] == 30 / HEIGHT


def test_low_peaks_are_not_found(heads, feet):
    for logit, found in ((MIN_SCORE + 0.01, True), (MIN_SCORE - 0.01, False)):
        heads.heatmaps[0, NOSE, 10, 8] = torch.tensor(logit).logit()
        assert (soft_keypoints(heads, feet).keypoints[0, NOSE, 2] > 0) == found


def test_spread_tells_one_peak_from_two(heads, feet):
    heads.heatmaps[0, NOSE, 30, 20] = 5
    heads.offsets[:] = 0.5
    torch.testing.assert_close(soft_keypoints(heads, feet).spread[0, NOSE], torch.zeros(4), atol=2e-3, rtol=0)
    heads.regression[0, 1, 30, 20] = 4  # both are as far from the guess
    heads.heatmaps[0, NOSE, 30, 28] = 5
    expected = torch.tensor([4 / WIDTH, 0, 4 / WIDTH, 0])
    torch.testing.assert_close(soft_keypoints(heads, feet).spread[0, NOSE], expected, atol=2e-3, rtol=0)


def test_heels_and_toes_are_looked_for_near_their_ankle(heads, feet):
    heads.regression[0, 2 * LEFT_ANKLE, 30, 20] = 20
    heads.heatmaps[0, LEFT_ANKLE, 50, 20] = 1
    feet[0, 0, 5, 5] = feet[0, 0, 54, 22] = 1
    keypoints = soft_keypoints(heads, feet).keypoints[0]
    torch.testing.assert_close(keypoints[17, :2], torch.tensor([22.5 / WIDTH, 54.5 / HEIGHT]))
    assert keypoints[17, 2] > 0
    assert (keypoints[18:, 2] == 0).all()
