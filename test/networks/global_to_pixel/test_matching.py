# SPDX-License-Identifier: Apache-2.0
"""Matching against brute force, one joint and one pixel at a time."""

import math

import pytest
import torch

from hmr_ros.networks.global_to_pixel import matching
from hmr_ros.networks.global_to_pixel.matching import (
    MatchingTargets,
    PixelPredictions,
    cheapest_few,
    gather_mean,
    match,
    match_fixed,
    matching_loss,
    positive_mask,
    within_reach,
)
from hmr_ros.networks.global_to_pixel.pixels import GRID, centres

PIXELS = GRID[0] * GRID[1]
CELL = 1 / torch.tensor(GRID[::-1])


@pytest.fixture
def targets() -> MatchingTargets:
    """Two people; one joint is unknown, one outside of the crop."""
    torch.manual_seed(1)
    places, valid = torch.rand(2, 24, 2), torch.ones(2, 24, dtype=torch.bool)
    valid[0, 3], places[1, 5] = False, torch.tensor([1.2, 0.5])
    return MatchingTargets(places, valid)


def predictions(units: int) -> PixelPredictions:
    torch.manual_seed(2)
    offsets = 0.05 * torch.randn(2, 24, PIXELS, 2)
    return PixelPredictions(torch.randn(2, units, PIXELS), centres() + offsets, centres())


def cost(logit: float, distance: float) -> float:
    """2 (focal loss as positive - as negative) + 5 L1, from the papers' formulas."""
    s = 1 / (1 + math.exp(-logit))
    return 2 * (0.25 * (1 - s) ** 2 * -math.log(s) - 0.75 * s**2 * -math.log(1 - s)) + 5 * distance


def l1(pixels: PixelPredictions, targets: MatchingTargets, b: int, k: int, p: int) -> float:
    return float((pixels.places[b, k, p] - targets.places[b, k]).abs().sum())


def test_each_joint_gets_its_cheapest_pixel(targets):
    pixels = predictions(units=24)
    chosen = match(pixels, targets, dynamic_k=False)
    assert chosen.shape == (2, 24, 1)
    for b, k in ((0, 0), (0, 7), (1, 23)):
        costs = [cost(float(pixels.logits[b, k, p]), l1(pixels, targets, b, k, p)) for p in range(PIXELS)]
        assert chosen[b, k, 0] == min(range(PIXELS), key=costs.__getitem__)


def test_a_person_gets_the_pixel_that_is_cheapest_for_all_known_joints(targets):
    pixels = predictions(units=1)
    chosen = match(pixels, targets, dynamic_k=False)
    known = [k for k in range(24) if targets.valid[0, k]]
    costs = [
        cost(float(pixels.logits[0, 0, p]), sum(l1(pixels, targets, 0, k, p) for k in known) / len(known))
        for p in range(PIXELS)
    ]
    assert chosen.shape == (2, 1, 1)
    assert chosen[0, 0, 0] == min(range(PIXELS), key=costs.__getitem__)


def test_joints_without_a_target_in_the_crop_use_the_best_scored_pixel(targets):
    pixels = predictions(units=24)
    for chosen in (match(pixels, targets, dynamic_k=False), match_fixed(pixels, targets, CELL)):
        for b, k in ((0, 3), (1, 5)):
            assert chosen[b, k, 0] == pixels.logits[b, k].argmax()
            assert (chosen[b, k, 1:] == -1).all()


def test_as_many_pixels_as_agree():
    similarity = torch.zeros(1, 3, 20)
    similarity[0, 1, :4] = 0.9  # 3.6 -> 3
    similarity[0, 2] = 1.0  # never more than 10
    found = cheapest_few(torch.arange(20.0).expand(1, 3, 20), similarity)
    assert [(row >= 0).sum().item() for row in found[0]] == [1, 3, 10]
    assert found[0, 1, :3].tolist() == [0, 1, 2]


def test_dynamic_k_takes_the_cheapest_first(targets):
    pixels = predictions(units=24)
    one, few = match(pixels, targets, dynamic_k=False), match(pixels, targets, dynamic_k=True)
    assert (few[..., :1] == one).all()
    assert (few[..., 1] >= 0).any()


def test_fixed_matching_takes_all_pixels_within_reach(targets):
    found = within_reach(centres(), targets, CELL)
    for b in range(2):
        for k in range(24):
            distance = ((centres() - targets.places[b, k]) / CELL).norm(dim=1)
            expected = set(torch.nonzero(distance <= 1.5)[:, 0].tolist())
            assert set(found[b, k].tolist()) - {-1} == expected


def test_no_place_reaches_more_pixels_than_fit():
    places = CELL * (16 + torch.rand(1, 5000, 2))
    found = within_reach(centres(), MatchingTargets(places, torch.ones(1, 5000, dtype=torch.bool)), CELL)
    distance = ((centres() - places[0, :, None]) / CELL).norm(dim=-1)
    assert ((found >= 0).sum(-1)[0] == (distance <= 1.5).sum(-1)).all()


def test_features_are_averaged_over_the_positives():
    features = torch.randn(2, 5, 10)
    positives = torch.tensor([[[3, -1], [0, 9]], [[1, 2], [4, -1]]])
    found = gather_mean(features, positives)
    torch.testing.assert_close(found[0, 0], features[0, :, 3])
    torch.testing.assert_close(found[0, 1], (features[0, :, 0] + features[0, :, 9]) / 2)
    torch.testing.assert_close(found[1, 0], (features[1, :, 1] + features[1, :, 2]) / 2)


def test_masks_hold_the_positives_only():
    mask = positive_mask(torch.tensor([[[3, -1], [0, 9]]]), 10)
    assert [row.nonzero()[:, 0].tolist() for row in mask[0]] == [[3], [0, 9]]


def test_the_loss_is_the_sum_over_known_joints(targets):
    pixels = predictions(units=24)
    positives = match(pixels, targets, dynamic_k=False)
    focal, distance = 0.0, 0.0
    count = 0
    for b in range(2):
        for k in range(24):
            if not targets.valid[b, k]:
                continue  # nothing is known of it
            score = pixels.logits[b, k].double().sigmoid()
            terms = 0.75 * score**2 * -(1 - score).log()
            if not (b == 1 and k == 5):  # outside: all pixels are negative
                p = int(positives[b, k, 0])
                terms[p] = 0.25 * (1 - score[p]) ** 2 * -score[p].log()
                distance += l1(pixels, targets, b, k, p)
                count += 1
            focal += float(terms.sum())
    actual = matching_loss(pixels, positives, targets)
    assert [float(x) for x in actual] == pytest.approx([focal / count, distance / count], rel=1e-4)


def test_without_any_target_the_loss_is_zero():
    pixels = predictions(units=24)
    nothing = MatchingTargets(torch.rand(2, 24, 2), torch.zeros(2, 24, dtype=torch.bool))
    positives = match(pixels, nothing, dynamic_k=False)
    assert [float(x) for x in matching_loss(pixels, positives, nothing)] == [0, 0]


def of(logits: torch.Tensor, places: torch.Tensor) -> matching.PixelPredictions:
    return matching.PixelPredictions(logits, places, places[0, 0])


@pytest.mark.parametrize("logit", [-2.0, 0.0, 1.5])
def test_focal_loss_by_hand(logit):
    """alpha (1 - p)^2 -log p for positives, (1 - alpha) p^2 -log(1 - p) for negatives, alpha 1/4."""
    p = 1 / (1 + math.exp(-logit))
    positive, negative = matching.focal_terms(torch.tensor([logit], dtype=torch.float64))
    assert positive.item() == pytest.approx(0.25 * (1 - p) ** 2 * -math.log(p))
    assert negative.item() == pytest.approx(0.75 * p**2 * -math.log(1 - p))


def test_joints_on_the_border_of_the_crop_are_inside():
    places = torch.tensor([[[0.0, 1.0], [1.0, 0.0], [-0.01, 0.5], [0.5, 1.01], [0.5, 0.5]]])
    valid = torch.tensor([[True, True, True, True, False]])
    assert matching.MatchingTargets(places, valid).inside.tolist() == [[True, True, False, False, False]]


def test_agreement_falls_with_the_distance_in_crop_heights():
    """Three pixels: right, off by 0.05 heights along y, off by as much along x, which is 0.05 * 256 / 192 widths."""
    steps = torch.tensor([(0.0, 0.0), (0.0, 0.05), (0.05 * 256 / 192, 0.0)])
    places = (0.4 + steps).expand(1, 24, 3, 2)
    targets = matching.MatchingTargets(torch.full((1, 24, 2), 0.4), torch.ones(1, 24, dtype=torch.bool))
    for units in (24, 1):
        found = matching.agreement(of(torch.zeros(1, units, 3), places), targets)
        expected = torch.tensor([1, math.exp(-0.5), math.exp(-0.5)]).expand(1, units, 3)
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("similarity", "taken"), [((0.1, 0, 0), 1), ((1, 0.99, 0), 1), ((1, 1, 0), 2), ((1, 1, 1), 3)])
def test_as_many_pixels_are_taken_as_agree(similarity, taken):
    cost = torch.tensor([[[3.0, 1.0, 2.0]]])
    chosen = matching.cheapest_few(cost, torch.tensor([[similarity]], dtype=torch.float32))
    assert chosen.tolist() == [[[1, 2, 0][:taken] + [-1] * (3 - taken)]]
    assert matching.cheapest(cost).tolist() == [[[1]]]


def test_features_are_the_mean_of_the_taken_pixels():
    features = torch.tensor([[[1.0, 2.0, 4.0], [10.0, 20.0, 40.0]]])
    mean = matching.gather_mean(features, torch.tensor([[[0, 2, -1], [1, -1, -1]]]))
    assert mean.tolist() == [[[2.5, 25.0], [2.0, 20.0]]]
    assert matching.positive_mask(torch.tensor([[[0, 2, -1], [1, -1, -1]]]), 3).tolist() == [
        [[True, False, True], [False, True, False]]
    ]
