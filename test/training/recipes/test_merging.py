# SPDX-License-Identifier: Apache-2.0
"""The stage that learns how far to trust given keypoints, and how far the heatmaps."""

import dataclasses

import numpy as np
import pytest
import torch

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.settings import updated
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.optimising import make_optimiser, only_these_learn, optimise
from hmr_ros.training.recipes import stage_names
from hmr_ros.training.recipes.merging import MergeSource, ToMerge
from hmr_ros.training.synthetic.images import ImageMix, ImageSampler
from hmr_ros.training.synthetic.images.shards.shards import shard_path, write_shard
from test.training.datasets.test_motion import small_motion
from test.training.recipes.test_global_to_pixel import recipe

MERGING = {
    "global_to_pixel__backbone": "movenet_thunder",
    "global_to_pixel__start": "given",
    "global_to_pixel__merge": True,
    "crops__without_keypoints": 0.0,
}


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """One shard of three people."""
    directory = tmp_path_factory.mktemp("shards")
    sampler = ImageSampler(small_motion(), load_body_model(models_dir() / "open_body.npz"), "coco_feet", ImageMix())
    write_shard(sampler.sample(np.random.default_rng(0), 3), shard_path(directory, 0))
    return directory


def test_it_trains_the_merger_alone_on_what_the_backbone_said_once(shards):
    made = recipe(**MERGING, crops__shards=str(shards))
    before = {name: value.clone() for name, value in made.modules.state_dict().items()}
    sampler = made.sampler("train", "merge")
    assert isinstance(sampler, MergeSource)
    assert len(sampler.people.given) == 3
    found = sampler.people.own[..., 2] > 0
    assert found.any()
    assert (sampler.people.heat[..., 2][found] > 0).any()
    batch = made.batch(sampler, np.random.default_rng(0), 8)
    assert isinstance(batch, ToMerge)
    assert batch.given.shape == (8, 21, 3)
    assert not batch.chosen[batch.given[..., 2] == 0].any()

    trained = made.trained("merge")
    only_these_learn(made.modules, trained)
    optimiser = make_optimiser(dataclasses.replace(TrainConfig().merge, learning_rate=3e-3), trained)
    losses = []
    for _ in range(20):
        (loss,) = made.loss(batch, "merge", 0.0).values()
        optimise(loss, optimiser, made.modules, 1.0)
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] - 0.3
    changed = {name for name, value in made.modules.state_dict().items() if (value != before[name]).any()}
    assert changed
    assert all(name.startswith("network.merger.") for name in changed)


def test_what_is_put_right_is_what_both_stages_start_from():
    made = recipe(**MERGING)
    network = made._network.eval()
    image, given, camera = network.example_inputs(2)
    with torch.no_grad():
        features = network.features(image)
        right = network.put_right(given, features)
        assert (right - given)[..., :2].abs().max() > 1e-3
        stages = network.stages_from_features(features, given, camera)
        network.merger = None
        expected = network.stages_from_features(features, right, camera)
    torch.testing.assert_close(stages.fine.joints, expected.fine.joints)
    torch.testing.assert_close(network.put_right(given, features), given)


def test_it_needs_shards_and_a_network_that_merges():
    with pytest.raises(ValueError, match=r"^merge\.steps: set crops\.shards"):
        recipe(**MERGING).sampler("train", "merge")
    with pytest.raises(ValueError, match=r"merge\.steps: expected 0 without global_to_pixel\.merge, got 5"):
        updated(TrainConfig(), {"recipe": "global_to_pixel", "merge.steps": 5})


def test_it_comes_after_the_trunk_and_is_left_out_without_steps():
    thunder = {"recipe": "global_to_pixel", "global_to_pixel.backbone": "movenet_thunder"}
    merging = thunder | {"global_to_pixel.start": "given", "global_to_pixel.merge": True, "trunk.steps": 1}
    assert stage_names(updated(TrainConfig(), merging | {"merge.steps": 1})) == ("local", "trunk", "merge", "images")
    assert stage_names(updated(TrainConfig(), merging)) == ("local", "trunk", "images")
