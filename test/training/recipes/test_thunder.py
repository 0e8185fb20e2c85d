# SPDX-License-Identifier: Apache-2.0
"""Global-to-Pixel on MoveNet Thunder, trained along."""

import dataclasses

import numpy as np
import pytest
import torch

from hmr_ros.networks.global_to_pixel.movenet_trunk import MoveNetTrunk
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.labelled_crops import missed_joints
from hmr_ros.training.movenet_weights import load_movenet
from hmr_ros.training.optimising import make_optimiser, only_these_learn, optimise
from hmr_ros.training.recipes.crop_batches import Mixed
from hmr_ros.training.recipes.heatmaps import missed_rendered
from test.training.recipes.test_global_to_pixel import recipe

THUNDER = {
    "global_to_pixel__backbone": "movenet_thunder",
    "global_to_pixel__start": "keypoints",
    "crops__backbone": 0.2,
    "crops__frozen_stride": 8,
    "crops__photos": "test/data/photos",
    "crops__photos_per_step": 1,
    "crops__labels": "test/data/photos/labels.json",
}


@pytest.fixture(scope="module")
def thunder():
    return recipe(**THUNDER)


@pytest.fixture(scope="module")
def batch(thunder):
    """People with images of noise, and some without."""
    people = thunder.batch(thunder.sampler("train", "local"), np.random.default_rng(0), 4)
    image = torch.randint(0, 256, (2, 256, 192, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return people._replace(image=image)


def test_a_new_run_starts_from_the_shipped_weights(thunder):
    shipped = MoveNetTrunk()
    load_movenet(shipped)
    for name, value in thunder._network.backbone.trunk.state_dict().items():
        torch.testing.assert_close(value, shipped.state_dict()[name])


def test_a_validation_says_how_many_labelled_joints_are_missed(thunder):
    thunder.modules.eval()
    few = thunder._labelled.take(slice(3))
    missed = missed_joints(thunder._network, thunder._loss, few)
    with torch.no_grad():
        features = thunder._network.features(torch.from_numpy(few.image))
    assert missed["missed_keypoints"] == few.missed(features.keypoints[..., :2]) < 20, "they are MoveNet's"
    assert missed["missed_keypoints"] < missed["missed_body"], "it is untrained"


def test_a_step_trains_what_lies_above_the_frozen_stride(thunder, batch):
    before = {name: value.clone() for name, value in thunder.modules.state_dict().items()}
    trained = thunder.trained("images")
    only_these_learn(thunder.modules, trained)
    stage = dataclasses.replace(TrainConfig().images, learning_rate=1e-3)
    terms = thunder.loss(batch, "images", 0.0)
    assert {"heat_focal", "heat_cells", "heat_regression", "heat_offset", "photos"} <= set(terms)
    assert terms["photos"].abs() < 1e-3, "it has not forgotten anything yet"
    optimise(torch.stack(list(terms.values())).sum(), make_optimiser(stage, trained), thunder.modules, 1.0)
    changed = {name for name, value in thunder.modules.state_dict().items() if (value != before[name]).any()}
    trunk = {name.split("backbone.")[1].split(".body")[0] for name in changed if "backbone." in name}
    assert {"feet.near.10.weight", "trunk.heads.1.3.weight", "trunk.stages.2.0", "trunk.stages.4.3"} <= trunk
    assert not {name for name in trunk if name.startswith(("trunk.stem", "trunk.stages.0", "trunk.stages.1"))}
    assert {"global_stage", "pixel_stage", "backbone"} <= {name.split(".")[1] for name in changed}


def test_a_frozen_backbone_has_no_losses_of_its_own(batch):
    frozen = recipe(**THUNDER | {"crops__backbone": 0.0, "crops__photos": ""})
    assert not {name for name in frozen.loss(batch, "images", 0.0) if name.startswith(("heat", "photos"))}
    only_these_learn(frozen.modules, frozen.trained("images"))
    assert not any(p.requires_grad for p in frozen._network.backbone.parameters())


def test_its_heatmaps_are_trained_alone(batch):
    trunk = recipe(**THUNDER | {"crops__backbone": 0.0})
    before = {name: value.clone() for name, value in trunk.modules.state_dict().items()}
    trained = trunk.trained("trunk")
    only_these_learn(trunk.modules, trained)
    stage = dataclasses.replace(TrainConfig().trunk, learning_rate=1e-3)
    with_image, _ = batch.split()
    terms = trunk.loss(with_image, "trunk", 0.0)
    assert set(terms) == {"heat_focal", "heat_cells", "heat_regression", "heat_offset", "photos"}
    optimise(torch.stack(list(terms.values())).sum(), make_optimiser(stage, trained), trunk.modules, 1.0)
    changed = {name for name, value in trunk.modules.state_dict().items() if (value != before[name]).any()}
    frozen = ("stem", "stages.0", "stages.1")
    assert {name.split(".")[1] for name in changed} == {"backbone"}
    assert not [name for name in changed if name.startswith(tuple(f"network.backbone.trunk.{part}" for part in frozen))]
    assert {"network.backbone.feet.near.10.weight", "network.backbone.trunk.heads.1.3.weight"} <= changed


def test_heels_and_toes_may_be_trained_alone(batch):
    feet = recipe(**THUNDER | {"crops__trunk": 0.0, "crops__photos": ""})
    only_these_learn(feet.modules, feet.trained("trunk"))
    learning = {name for name, weight in feet.modules.named_parameters() if weight.requires_grad}
    assert learning
    assert all(name.startswith("network.backbone.feet.") for name in learning)
    with_image, _ = batch.split()
    torch.stack(list(feet.loss(with_image, "trunk", 0.0).values())).sum().backward()
    assert feet._network.backbone.feet.near[-1].weight.grad.abs().sum() > 0


def test_trunk_batches_are_people_in_images_alone(thunder):
    assert not isinstance(thunder.sampler("train", "trunk"), Mixed)
    assert isinstance(thunder.sampler("train", "images"), Mixed)


def test_a_validation_tells_nothing_and_says_what_is_missed(thunder, monkeypatch):
    monkeypatch.setattr(thunder, "_labelled", thunder._labelled.take(slice(1)))
    report = thunder.validate(thunder.sampler("val", "trunk"), "trunk")
    of = {f"{metric}_{source}" for metric in ("mpjpe", "pa_mpjpe") for source in ("true", "error", "none", "coarse")}
    assert set(report) == of | {"missed_rendered", "missed_body", "missed_keypoints"}


def test_a_keypoint_is_missed_a_fifth_of_a_torso_away(batch):
    truth, _ = batch.split()
    truth = truth._replace(visible=torch.ones_like(truth.visible), places=truth.places.clamp(0.1, 0.9)).ground_truth
    found = torch.cat([truth.places, torch.ones_like(truth.places[..., :1])], 2)
    assert missed_rendered(found, truth) == 0
    found[:, 3, 0] += 5
    assert missed_rendered(found, truth) == pytest.approx(100 / 17)
    hidden = truth._replace(visible=truth.visible.clone().index_fill(1, torch.tensor(3), 0))
    assert missed_rendered(found, hidden) == 0


def test_only_heatmaps_have_a_stage_of_their_own():
    with pytest.raises(ValueError, match=r"trunk\.steps: expected 0 for the backbone 'blazepose', got 5"):
        recipe(trunk__steps=5)
