# SPDX-License-Identifier: Apache-2.0
import dataclasses
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.geometry.rotation import rot6d_to_rotmat, rotmat_to_rotvec
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.settings import updated
from hmr_ros.networks.global_to_pixel.crop_camera import crop_translation, to_crop_units
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.optimising import make_optimiser, only_these_learn, optimise
from hmr_ros.training.recipes import global_to_pixel as module
from hmr_ros.training.recipes import stage_names, stage_number
from hmr_ros.training.recipes.crop_validation import EVALUATED, errors
from hmr_ros.training.recipes.global_to_pixel import GlobalToPixelRecipe, _mean_pose
from test.training.datasets.test_motion import small_motion

BODY = load_body_model(models_dir() / "open_body.npz")
SMALL_NETWORK = {
    "global_to_pixel.width": 16,
    "global_to_pixel.heads": 2,
    "global_to_pixel.layers": 1,
    "global_to_pixel.pixel_width": 8,
    "global_to_pixel.global_width": 16,
    "global_to_pixel.lifting_width": 16,
    "global_to_pixel.lifting_blocks": 1,
}
SMALL = {
    "recipe": "global_to_pixel",
    "run.bfloat16": False,
    "run.validation_people": 4,
    "crops.without_image": 2.0,
    **SMALL_NETWORK,
}

THUNDER = {"recipe": "global_to_pixel", "global_to_pixel.backbone": "movenet_thunder", "trunk.steps": 10}


def recipe(**changes) -> GlobalToPixelRecipe:
    torch.manual_seed(0)
    settings = SMALL | {name.replace("__", "."): value for name, value in changes.items()}
    return GlobalToPixelRecipe(updated(TrainConfig(), settings), small_motion(), BODY, None)


@pytest.fixture(scope="module")
def small():
    return recipe()


@pytest.fixture(scope="module", params=["local", "images"])
def stage(request):
    return request.param


@pytest.fixture(scope="module")
def batch(small, stage):
    return small.batch(small.sampler("train", stage), np.random.default_rng(0), 4)


def test_the_truth_of_a_batch_is_one_body_in_one_camera(batch):
    rotvecs = rotmat_to_rotvec(batch.rotations.double().numpy())
    posed = BODY.posed(rotvecs[:, 0], rotvecs[:, 1:], batch.betas.numpy(), np.zeros((len(rotvecs), 3)))
    np.testing.assert_allclose(posed.joints, batch.joints.numpy(), atol=1e-4)
    place = crop_translation(batch.crop_cam, batch.camera)[:, None]
    torch.testing.assert_close(to_crop_units(batch.joints + place, batch.camera), batch.anchors, atol=1e-3, rtol=1e-3)
    keypoints = torch.from_numpy((BODY.regressor("coco_feet") @ posed.vertices).astype(np.float32))
    torch.testing.assert_close(to_crop_units(keypoints + place, batch.camera), batch.places, atol=2e-3, rtol=2e-3)


def test_missing_keypoints_are_zero(batch):
    missing = batch.keypoints[..., 2] == 0
    assert (batch.keypoints[missing] == 0).all()


def test_only_the_stage_with_images_has_images(batch, stage):
    assert tuple(batch.image.shape) == ((4, 256, 192, 3) if stage == "images" else (0, 256, 192, 3))


def test_images_are_trained_on_beside_people_without(batch, stage):
    with_image, without = batch.split()
    assert (len(with_image.camera), len(without.camera)) == ((4, 8) if stage == "images" else (0, 4))


def test_a_step_changes_what_the_stage_trains_and_nothing_else(stage, batch):
    small = recipe()
    before = {name: value.clone() for name, value in small.modules.state_dict().items()}
    trained = small.trained(stage)
    only_these_learn(small.modules, trained)
    stage_config = dataclasses.replace(TrainConfig().images, learning_rate=1e-3)
    terms = small.loss(batch, stage, 0.0)
    optimise(torch.stack(list(terms.values())).sum(), make_optimiser(stage_config, trained), small.modules, 1.0)
    changed = {
        name.split(".")[1] for name, value in small.modules.state_dict().items() if (value != before[name]).any()
    }
    assert changed == {"local": {"pixel_stage", "lifting"}, "images": {"pixel_stage", "lifting", "global_stage"}}[stage]


def test_with_images_what_corrects_by_keypoints_may_stay_as_it_is(batch, stage):
    if stage == "local":
        return
    frozen = recipe(crops__local_fraction=0.0, global_to_pixel__start="given")
    local, trained = frozen._network.pixel_stage, frozen.trained(stage)
    before = [weight.clone() for weight in (*local.correcting().parameters(), local.pixels.classes.weight)]
    only_these_learn(frozen.modules, trained)
    total = torch.stack(list(frozen.loss(batch, stage, 0.0).values())).sum()
    optimise(total, make_optimiser(TrainConfig().images, trained), frozen.modules, 1.0)
    now = (*local.correcting().parameters(), local.pixels.classes.weight)
    changed = [bool((new != old).any()) for new, old in zip(now, before, strict=True)]
    assert changed == [False] * (len(now) - 1) + [True]


def test_steps_on_one_batch_lower_the_loss(stage, batch):
    small = recipe()
    trained = small.trained(stage)
    only_these_learn(small.modules, trained)
    optimiser = torch.optim.Adam([p for module, _ in trained for p in module.parameters() if p.requires_grad], lr=2e-3)

    def step() -> float:
        torch.manual_seed(1)  # the same wrong starts each time
        total = torch.stack(list(small.loss(batch, stage, 0.0).values())).sum()
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        return total.item()

    totals = [step() for _ in range(6)]
    assert totals[-1] < totals[0]


def test_people_without_images_are_a_part_of_the_loss_of_their_own(small, batch, stage):
    with_image, without = batch.split()
    names = set(small.loss(batch, stage, 0.0))
    assert {name for name in names if name.startswith("blind_")} == set(small.loss(without, stage, 0.0))
    assert bool(len(with_image.camera)) == ("focal" in names) == ("coarse_pose" in names)


def test_validation_reports_both_stages_of_the_network(small):
    report = small.validate(small.sampler("val", "local"), "local")
    assert set(report) == {f"{metric}_{of}" for metric in ("mpjpe", "pa_mpjpe") for of in ("true", "coarse", "error")}
    assert report == small.validate(small.sampler("val", "local"), "local")


def test_networks_are_validated_as_they_are_used_and_then_trained_on(small, monkeypatch):
    training = []
    monkeypatch.setattr(module, "errors", lambda *of: training.append(small.modules.training) or errors(*of))
    small.modules.train()
    small.validate(small.sampler("val", "local"), "local")
    assert training == [False]
    assert small.modules.training


def test_bodies_start_upright_and_facing_the_camera_however_recorded_people_turn():
    root = rot6d_to_rotmat(_mean_pose(small_motion())["mean_rot6d"])[0]
    np.testing.assert_allclose(root @ [0, 1, 0], [0, -1, 0], atol=1e-6)  # y points down in the camera's frame
    np.testing.assert_allclose(root @ [0, 0, 1], [0, 0, -1], atol=1e-6)


def test_validation_moves_no_box_and_mirrors_nobody(small):
    sampler = small.sampler("val", "local")
    first = small.samples(sampler, np.random.default_rng(0), 4, EVALUATED["true"])
    seen = first.keypoints[..., 2] > 0
    torch.testing.assert_close(first.keypoints[seen][:, :2], first.places[seen])


@pytest.mark.parametrize(
    "ablation",
    [{"local": "off"}, {"match": "fixed"}, {"residual": "off"}, {"sampler": "roi"}, {"match_unit": "person"}],
)
def test_every_ablation_trains(ablation):
    small = recipe(**{f"global_to_pixel__{name}": value for name, value in ablation.items()})
    batch = small.batch(small.sampler("train", "images"), np.random.default_rng(0), 2)
    terms = small.loss(batch, "images", 0.0)
    total = torch.stack(list(terms.values())).sum()
    total.backward()
    assert torch.isfinite(total)


def test_its_stages_are_known_by_name():
    assert stage_names(TrainConfig(recipe="global_to_pixel")) == ("local", "images")
    assert stage_names(updated(TrainConfig(), THUNDER)) == ("local", "trunk", "images")


@pytest.mark.parametrize(
    ("name", "number", "goes_on"),
    [("images", 2, 2), ("trunk", 1, 1), ("", 1, 2), ("", 0, 0), ("images", 1, 2)],
    ids=["images", "trunk", "images of an older file", "local of an older file", "images of a run without trunk"],
)
def test_a_run_goes_on_in_the_stage_it_was_in(name, number, goes_on):
    checkpoint = SimpleNamespace(stage=number, stage_name=name)
    assert stage_number(checkpoint, updated(TrainConfig(), THUNDER)) == goes_on


def test_a_run_cannot_go_on_in_a_stage_that_is_left_out():
    with pytest.raises(ValueError, match=r"^trunk\.steps: the run is in that stage; set its steps, at least 7"):
        stage_number(SimpleNamespace(stage=1, stage_name="trunk", step=7), TrainConfig(recipe="global_to_pixel"))


class Pyramid(torch.nn.Module):
    """A model as timm's: maps of the strides 4 to 32."""

    feature_info = SimpleNamespace(reduction=lambda: [4, 8, 16, 32], channels=lambda: [1, 1, 1, 1])

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))

    def forward(self, image):
        return [self.scale * torch.nn.functional.avg_pool2d(image[:, :1], stride) for stride in (4, 8, 16, 32)]


def test_weights_of_timm_are_read_once_by_a_new_run_alone(monkeypatch):
    read = []
    models = SimpleNamespace(load_checkpoint=lambda model, path: read.append(path))
    monkeypatch.setitem(sys.modules, "timm", SimpleNamespace(create_model=lambda *_, **__: Pyramid()))
    monkeypatch.setitem(sys.modules, "timm.models", models)
    made = recipe(global_to_pixel__backbone="timm:pyramid", global_to_pixel__checkpoint="w.pth")
    assert read == ["w.pth"]
    GlobalToPixelRecipe(made._config, small_motion(), BODY, made.topology)
    assert read == ["w.pth"], "a run that goes on, and what is exported, have weights of their own"
