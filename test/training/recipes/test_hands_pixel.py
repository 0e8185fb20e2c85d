# SPDX-License-Identifier: Apache-2.0
"""Global-to-Pixel on hands: the tree of 16 joints through network, samples and losses."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from hmr_ros.cli import main
from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.body.hand_model import HAND_TREE, load_hand_model
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.settings import load_toml, updated
from hmr_ros.core.skeleton import HAND, MANO
from hmr_ros.networks.global_to_pixel.crop_camera import crop_translation, to_crop_units
from hmr_ros.training.checkpoint import load_checkpoint
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.optimising import make_optimiser, only_these_learn, optimise
from hmr_ros.training.recipe_files import find_recipe
from hmr_ros.training.recipes import make_recipe, needs_motion, stage_names
from hmr_ros.training.recipes.hands_pixel import FIRST_SCALE, HandPixelRecipe
from test.training.recipes.test_global_to_pixel import SMALL_NETWORK

BODY = load_body_model(models_dir() / "open_body.npz")
OPEN_HAND = load_hand_model(models_dir() / "open_hand.npz", np.float64)
SMALL = {
    "run.bfloat16": False,
    "run.validation_people": 2,
    **SMALL_NETWORK,
}
SHIPPED = load_toml(find_recipe(Path("global_to_pixel_hands")), TrainConfig)


@pytest.fixture(scope="module")
def recipe() -> HandPixelRecipe:
    torch.manual_seed(0)
    return HandPixelRecipe(updated(SHIPPED, SMALL), None)


@pytest.fixture(scope="module")
def sampler(recipe):
    return recipe.sampler("train", "images")


@pytest.fixture(scope="module")
def batch(recipe, sampler):
    return recipe.batch(sampler, np.random.default_rng(0), 3, noisy=False)


def test_the_shipped_settings_train_one_stage_without_motion():
    assert stage_names(SHIPPED) == ("images",)
    assert not needs_motion(SHIPPED)


def test_the_truth_of_a_batch_is_one_hand_in_one_camera(batch):
    rotvecs = rotmat_to_rotvec(batch.rotations.double().numpy())
    posed = OPEN_HAND.posed(rotvecs[:, 0], rotvecs[:, 1:], batch.betas.numpy(), np.zeros((3, 3)))
    assert_allclose(posed.joints, batch.joints, atol=1e-4)
    place = crop_translation(batch.crop_cam, batch.camera)[:, None]
    torch.testing.assert_close(to_crop_units(batch.joints + place, batch.camera), batch.anchors, atol=2e-3, rtol=1e-3)
    keypoints = torch.from_numpy(OPEN_HAND.keypoints(posed).astype(np.float32))
    torch.testing.assert_close(to_crop_units(keypoints + place, batch.camera), batch.places, atol=2e-3, rtol=2e-3)
    assert ((batch.places > 0) & (batch.places < 1)).all()
    assert (batch.keypoints[..., 2] == 1).all()
    off = (batch.keypoints[..., :2] - batch.places).norm(dim=-1)
    assert 0.001 < off.median() < 0.06  # a detector's points are not the joints, but near them
    assert ((batch.crop_cam[:, 0] > 4) & (batch.crop_cam[:, 0] < 20)).all()  # as FIRST_SCALE


def test_crops_show_the_hand(batch):
    """Pixels of the hand and of its surroundings differ more than neighbours at the border."""
    assert batch.image.shape == (3, 256, 192, 3)
    assert batch.image.dtype == torch.uint8
    assert (batch.image.float().std((1, 2, 3)) > 3).all()


@pytest.mark.slow
def test_training_samples_have_errors_and_some_no_keypoints(recipe, sampler, batch):
    noisy = recipe.batch(sampler, np.random.default_rng(0), 3)
    torch.testing.assert_close(noisy.joints, batch.joints)
    again = recipe.batch(sampler, np.random.default_rng(0), 3)
    assert all(torch.equal(a, b) for a, b in zip(noisy, again, strict=True))
    none = sampler.sample(np.random.default_rng(0), 3, without_keypoints=1.0, noisy=True)
    assert (none.keypoints == 0).all()


def test_the_network_has_the_hands_tree(recipe, batch):
    network = recipe.modules["network"].eval()
    assert network.mean.crop_cam[0] == FIRST_SCALE
    with torch.no_grad():
        features = network.features(batch.image)
        stages = network.stages_from_features(features, batch.keypoints, batch.camera)
    assert features.keypoints.shape == (3, 21, 3)
    assert (features.keypoints[..., 2] == 0).all()  # BlazePose sees none of a hand's
    (rotations, betas, crop_cam), joint_error = stages.fine[1:4], stages.joint_error
    assert stages.pixels.logits.shape[1] == HAND.size
    assert rotations.shape == (3, HAND.size, 3, 3)
    assert betas.shape == (3, 10)
    assert crop_cam.shape == (3, 3)
    assert joint_error.shape == (3, HAND.size)
    rotvecs = rotmat_to_rotvec(rotations.double().numpy())
    posed = OPEN_HAND.posed(rotvecs[:, 0], rotvecs[:, 1:], betas.double().numpy(), np.zeros((3, 3)))
    assert_allclose(posed.joints, stages.fine.joints, atol=1e-4)
    network.train()


def test_each_joint_looks_at_its_own_keypoint_and_knows_its_finger(recipe):
    stage = recipe.modules["network"].pixel_stage
    for joint in HAND.joints:
        row = stage.anchors.weights[HAND.index(joint)]
        assert row.sum() == row[MANO.index(joint)] == 1
    parent, children = stage.heads.family.chunk(2)
    index2 = HAND.index("index2")
    assert parent[index2, HAND.index("index1")] == 1
    assert children[index2, HAND.index("index3")] == 1
    assert children[0, [HAND.index(f"{finger}1") for finger in ("index", "thumb")]].tolist() == pytest.approx([0.2] * 2)
    assert (HAND_TREE.parents[1:] >= 0).all()


@pytest.mark.slow
def test_a_step_lowers_the_loss_of_its_batch(recipe, batch):
    saved = {name: value.clone() for name, value in recipe.modules.state_dict().items()}
    trained = recipe.trained("images")
    only_these_learn(recipe.modules, trained)
    optimiser = make_optimiser(recipe._config.images, trained)
    losses = []
    for _ in range(6):
        terms = recipe.loss(batch, "images", 0.0)
        losses.append(sum(value.item() for value in terms.values()))
        optimise(torch.stack(list(terms.values())).sum(), optimiser, recipe.modules, 1.0)
    recipe.modules.load_state_dict(saved)
    assert losses[-1] < losses[0]
    assert {"focal", "offset", "joints", "vertices", "keypoints", "coarse_joints"} <= set(terms)


@pytest.mark.slow
def test_validation_is_in_mm_and_repeats(recipe, sampler):
    report = recipe.validate(sampler, "images")
    names = {f"{error}_{source}" for error in ("mpjpe", "pa_mpjpe") for source in ("true", "error", "coarse")}
    assert set(report) == names
    assert all(5 < value < 250 for value in report.values())
    assert report == recipe.validate(sampler, "images")


def test_the_joint_set_and_the_recipe_go_together():
    for settings in ({"recipe": "hands_pixel"}, {"global_to_pixel.joint_set": "mano", "recipe": "global_to_pixel"}):
        with pytest.raises(ValueError, match='expected "mano" in the recipe hands_pixel, and only there'):
            make_recipe(updated(TrainConfig(), settings), None, BODY, None)


@pytest.mark.slow
def test_from_the_command_line_it_trains_resumes_and_is_not_exported(tmp_path: Path, capsys):
    small = SMALL | {"run.device": "cpu", "run.workers": 0, "run.threads": 1, "images.batch_size": 2}
    for steps in (1, 2):
        settings = [f"{name}={str(value).lower()}" for name, value in (small | {"images.steps": steps}).items()]
        given = [part for setting in settings for part in ("--set", setting)]
        assert main(["train", "global_to_pixel_hands", "--out", str(tmp_path), *given]) == 0
    assert load_checkpoint(tmp_path / "last.pt").step == 2
    assert main(["export", str(tmp_path / "best.pt"), "--out", str(tmp_path / "net")]) == 1
    assert "nothing runs Global-to-Pixel on hands yet" in capsys.readouterr().err
