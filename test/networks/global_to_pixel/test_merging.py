# SPDX-License-Identifier: Apache-2.0
"""Given keypoints, put right by what the backbone sees."""

import dataclasses

import pytest
import torch

from hmr_ros.core.geometry.crop_view import CROP_ASPECT
from hmr_ros.core.skeleton import COCO_FEET
from hmr_ros.networks.global_to_pixel import GlobalToPixelConfig
from hmr_ros.networks.global_to_pixel.features import Features
from hmr_ros.networks.global_to_pixel.merging import Evidence, KeypointMerger, Merged, merging_loss
from hmr_ros.networks.global_to_pixel.movenet_trunk import Heads

WRIST, OTHER_WRIST = (COCO_FEET.index(f"{side}_wrist") for side in ("left", "right"))
PEOPLE = 64


@pytest.fixture
def merger() -> KeypointMerger:
    torch.manual_seed(0)
    return KeypointMerger(COCO_FEET)


def places(seed: int, count: int = PEOPLE) -> torch.Tensor:
    return torch.rand(count, COCO_FEET.size, 2, generator=torch.Generator().manual_seed(seed))


def sure(at: torch.Tensor) -> torch.Tensor:
    return torch.cat([at, torch.ones_like(at[..., :1])], 2)


def test_heat_is_that_of_the_joint_and_of_its_mirror_image_at_both_places(merger):
    maps = torch.full((1, COCO_FEET.size, 64, 48), -20.0)
    maps[0, WRIST, 32, 12] = 20  # seen where the backbone finds it,
    maps[0, OTHER_WRIST, 8, 40] = 20  # and what is given is the other one
    given, own = sure(places(0, 1)), sure(places(1, 1))
    own[0, WRIST, :2] = torch.tensor([12.5 / 48, 32.5 / 64])
    given[0, WRIST, :2] = torch.tensor([40.5 / 48, 8.5 / 64])
    nothing = torch.zeros(1, 34, 64, 48)
    heads = Heads(nothing[:, :1], maps[:, :17], nothing, nothing)
    evidence = merger.evidence(Features((), torch.zeros(1, 1), own, heads, maps[:, 17:]), given)
    torch.testing.assert_close(evidence.heat[0, WRIST], torch.tensor([0.0, 1, 1, 0]), atol=1e-5, rtol=0)
    torch.testing.assert_close(evidence.own, own)


@torch.no_grad()
def test_untrained_it_prefers_what_is_given_and_leaves_missing_ones_missing(merger):
    given = sure(places(0))
    given[:, WRIST] = 0
    merged = merger(given, Evidence(sure(places(1)), torch.zeros(PEOPLE, COCO_FEET.size, 4)))
    assert not merged.keypoints[:, WRIST].any()
    moved = (merged.keypoints - given)[..., :2].norm(dim=2)
    assert moved.median() < 0.5 * (places(0) - places(1)).norm(dim=2).median()
    assert ((merged.keypoints[..., 2] > 0) == (given[..., 2] > 0)).all()


@torch.no_grad()
def test_where_the_backbone_finds_nothing_keypoints_stay_where_they_are(merger):
    given = sure(places(0))
    lone = given * (torch.arange(COCO_FEET.size) != OTHER_WRIST)[:, None]
    blind = Evidence(torch.zeros_like(given), torch.zeros(PEOPLE, COCO_FEET.size, 4))
    merged = merger(lone, blind).keypoints
    torch.testing.assert_close(merged[:, WRIST, :2], given[:, WRIST, :2], msg="its mirror image is not given, either")


def test_it_learns_whom_to_trust_by_the_heat_and_that_sides_are_swapped(merger):
    """A third of the joints are right as given, a third as the backbone finds them, a third as its mirror image."""
    mirror = torch.from_numpy(COCO_FEET.mirror)
    truth, wrong = places(0), places(1)
    kind = torch.randint(3, (PEOPLE, 1, 1), generator=torch.Generator().manual_seed(2))
    given = sure(torch.where(kind == 0, truth, wrong))
    own = sure(torch.where(kind == 1, truth, torch.where(kind == 2, truth[:, mirror], wrong)))
    hot, cold = torch.ones(PEOPLE, COCO_FEET.size, 1), torch.zeros(PEOPLE, COCO_FEET.size, 1)
    heat = torch.cat([torch.where(kind == 0, hot, cold), cold, *(torch.where(kind == k, hot, cold) for k in (1, 2))], 2)
    optimiser = torch.optim.Adam(merger.parameters(), 3e-3)
    chosen = torch.ones(PEOPLE, COCO_FEET.size)
    for _ in range(150):
        optimiser.zero_grad()
        merged = merger(given, Evidence(own, heat))
        merging_loss(merged, truth, chosen).backward()
        optimiser.step()
    error = (merged.keypoints[..., :2] - truth).norm(dim=2)
    assert error.median() < 0.05 < (given[..., :2] - truth).norm(dim=2).mean()
    assert merged.keypoints[..., 2].mean() > 0.5, "and it is sure of them"


def test_the_loss_counts_the_chosen_in_heights_of_the_crop():
    keypoints = torch.zeros(1, 3, 3)
    keypoints[0, 0, 0] = 0.4
    merged = Merged(keypoints, torch.full((1, 3), 0.1))
    loss = merging_loss(merged, torch.zeros(1, 3, 2), torch.tensor([[1.0, 0.0, 0.0]]))
    torch.testing.assert_close(loss, torch.tensor(0.4 * CROP_ASPECT / 0.1) + torch.tensor(0.1).log())
    assert torch.isfinite(merging_loss(merged, torch.zeros(1, 3, 2), torch.zeros(1, 3)))


def test_it_needs_heatmaps_and_a_start_from_given_keypoints():
    fitting = GlobalToPixelConfig(backbone="movenet_thunder", start="given", merge=True)
    for changes in ({"backbone": "blazepose"}, {"start": "keypoints"}):
        with pytest.raises(ValueError, match=r"^merge: expected the backbone movenet_thunder"):
            dataclasses.replace(fitting, **changes)
