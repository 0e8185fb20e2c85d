# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from hmr_ros.networks.global_to_pixel.features import Features
from hmr_ros.networks.global_to_pixel.movenet_trunk import POINTS, Heads
from hmr_ros.training.global_to_pixel_loss import GroundTruth
from hmr_ros.training.heatmap_loss import (
    HeatmapLossConfig,
    cell_loss,
    focal,
    forgetting,
    heatmap_losses,
    offset_loss,
    regression_loss,
    targets_in,
)

HEIGHT, WIDTH = 64, 48
CENTRE = (30, 20)


@pytest.fixture
def ground_truth() -> GroundTruth:
    """Two people; all keypoints are visible, but the second person's last one is hidden and its first one outside."""
    places = 0.1 + 0.8 * torch.rand(2, 21, 2, generator=torch.Generator().manual_seed(0))
    visible = torch.ones(2, 21)
    visible[1, 20] = 0
    places[1, 0] = torch.tensor([0.5, 1.2])
    nothing = torch.zeros(0)
    return GroundTruth(nothing, nothing, nothing, nothing, nothing, places, visible, fitted=torch.ones(2))


def perfect(ground_truth: GroundTruth) -> Features:
    """What a network would say that knew it all."""
    logits = torch.full((2, 21, HEIGHT, WIDTH), -12.0)
    centre = torch.full((2, 1, HEIGHT, WIDTH), -12.0)
    centre[:, 0, *CENTRE] = 3
    regression, offsets = torch.zeros(2, 2, 2 * POINTS, HEIGHT, WIDTH)
    for person in range(2):
        for joint in range(21):
            x, y = (ground_truth.places[person, joint] * torch.tensor([WIDTH, HEIGHT])).tolist()
            if y < HEIGHT:
                logits[person, joint, int(y), int(x)] = 12
            if joint < POINTS and y < HEIGHT:
                offsets[person, 2 * joint : 2 * joint + 2, int(y), int(x)] = torch.tensor([y % 1, x % 1])
                regression[person, 2 * joint : 2 * joint + 2, *CENTRE] = torch.tensor([y - CENTRE[0], x - CENTRE[1]])
    nothing = torch.zeros(0)
    heads = Heads(centre, logits[:, :POINTS], regression, offsets)
    return Features((), nothing, nothing, heads, logits[:, POINTS:])


def test_what_is_right_costs_nothing(ground_truth):
    terms = heatmap_losses(perfect(ground_truth), ground_truth, HeatmapLossConfig())
    assert set(terms) == {"heat_focal", "heat_cells", "heat_regression", "heat_offset"}
    assert sum(terms.values()) < 1e-3


@pytest.mark.parametrize("term", ["focal", "cells", "regression", "offset"])
def test_each_term_has_its_weight(ground_truth, term):
    features = perfect(ground_truth)
    worse = features._replace(
        heads=Heads(*(x + 1.5 for x in features.heads))._replace(heatmaps=features.heads.heatmaps.roll(2, 3))
    )
    plain = heatmap_losses(worse, ground_truth, HeatmapLossConfig(**{term: 1.0}))
    twice = heatmap_losses(worse, ground_truth, HeatmapLossConfig(**{term: 2.0}))
    assert plain[f"heat_{term}"] > 0.1
    torch.testing.assert_close(twice[f"heat_{term}"], 2 * plain[f"heat_{term}"])


def test_a_hidden_keypoint_may_be_shown_or_not_and_one_outside_may_not(ground_truth):
    logits = torch.full((2, 21, HEIGHT, WIDTH), -3.0)
    targets = targets_in(ground_truth, logits)
    before = focal(logits, targets)
    logits[1, 20] = 3
    torch.testing.assert_close(focal(logits, targets), before)
    logits[1, 0, 5, 5] = 3
    assert focal(logits, targets) > before


def test_near_misses_cost_less(ground_truth):
    logits = torch.full((2, 21, HEIGHT, WIDTH), -6.0)
    targets = targets_in(ground_truth, logits)
    row, column = divmod(int(targets.cells[0, 3]), WIDTH)

    def with_peak(shift: int) -> torch.Tensor:
        moved = logits.clone()
        moved[0, 3, row, column + shift] = 3
        return focal(moved, targets)

    assert with_peak(0) < with_peak(1) < with_peak(5)


def test_known_values(ground_truth):
    logits = torch.zeros(2, 21, HEIGHT, WIDTH)
    targets = targets_in(ground_truth, logits)
    torch.testing.assert_close(cell_loss(logits, targets), torch.tensor(float(HEIGHT * WIDTH)).log())
    features = perfect(ground_truth)
    body = type(targets)(*(x[:, :POINTS] for x in targets))
    torch.testing.assert_close(offset_loss(features.heads.offsets + 0.25, body), torch.tensor(0.5))
    moved = features.heads._replace(regression=features.heads.regression + 2)
    torch.testing.assert_close(regression_loss(moved, body), torch.tensor(3.0))  # smooth L1 of 2 is 1.5


def test_forgetting_is_zero_of_the_same_and_rises_with_every_head(ground_truth):
    before = perfect(ground_truth).heads
    assert forgetting(before, before).abs() < 1e-5
    for name in Heads._fields:
        changed = before._replace(**{name: getattr(before, name) + 0.5})
        assert forgetting(changed, before) > 0.002, name
