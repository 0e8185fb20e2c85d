# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.settings import updated
from hmr_ros.evaluation.ablation.features import StoredFeatures, stored_images
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.recipes import make_recipe
from hmr_ros.training.synthetic.images import ImageMix, ImageSampler
from hmr_ros.training.synthetic.images.shards.shards import shard_path, write_shard
from hmr_ros.training.trainer import only_these_learn
from test.training.datasets.test_motion import small_motion

BODY = load_body_model(models_dir() / "open_body.npz")


def test_stored_features_are_those_of_the_backbone(tmp_path):
    sampler = ImageSampler(small_motion(), BODY, "coco_feet", ImageMix())
    for shard in range(2):
        write_shard(sampler.sample(np.random.default_rng(shard), 3), shard_path(tmp_path, shard))
    recipe = make_recipe(TrainConfig(recipe="global_to_pixel"), small_motion(), BODY, None)
    backbone = recipe.modules["network"].backbone.eval()
    seen = stored_images(recipe, tmp_path, 5, tmp_path / "features.npy", augment=False)
    assert len(seen) == 5
    assert seen.batch.keypoints.any()
    blind = seen.without_keypoints()
    assert not blind.take(np.arange(3)).keypoints.any(), "nobody tells where anything is"

    batch = seen.take(np.array([4, 1]))
    torch.testing.assert_close(batch.camera, seen.batch.camera[[4, 1]])
    stored = StoredFeatures(backbone)(batch.image)
    fresh = {}
    for images in sampled(recipe, tmp_path):
        fresh[len(fresh)] = images
    for number, row in enumerate((4, 1)):
        expected = backbone(fresh[row][None])
        for ours, theirs in zip((*stored.levels, stored.pooled), (*expected.levels, expected.pooled), strict=True):
            torch.testing.assert_close(ours[number], theirs[0], rtol=2e-3, atol=2e-3)

    again = stored_images(recipe, tmp_path / "gone", 5, tmp_path / "features.npy", augment=False)
    np.testing.assert_array_equal(again.features, seen.features, "they are kept")
    with pytest.raises(ValueError, match=r"features.npy: expected shape \(6, \d+\), got \(5, "):
        stored_images(recipe, tmp_path, 6, tmp_path / "features.npy", augment=False)


def sampled(recipe, directory):
    """The crops (256, 192, 3) of all images in order, as the recipe cuts them."""
    from hmr_ros.training.synthetic.images.shards.shards import read_shard, shards_of
    from hmr_ros.training.synthetic.subjects import Subjects, cut_crops

    for path in shards_of(directory):
        images = read_shard(path)
        yield from torch.from_numpy(cut_crops(images, Subjects.of_images(images).boxes))


def test_too_few_images_are_counted(tmp_path):
    sampler = ImageSampler(small_motion(), BODY, "coco_feet", ImageMix())
    write_shard(sampler.sample(np.random.default_rng(0), 2), shard_path(tmp_path, 0))
    recipe = make_recipe(TrainConfig(recipe="global_to_pixel"), small_motion(), BODY, None)
    with pytest.raises(ValueError, match="expected 3 images, found 2; `hmr render` makes more"):
        stored_images(recipe, tmp_path, 3, tmp_path / "features.npy", augment=True)
    assert not (tmp_path / "features.npy").exists()


def test_what_is_trained_on_stored_features_is_all_but_the_backbone():
    config = updated(TrainConfig(), {"recipe": "global_to_pixel", "global_to_pixel.start": "keypoints"})
    recipe = make_recipe(config, small_motion(), BODY, None)
    network = recipe.modules["network"]
    network.add_module("backbone", StoredFeatures(network.backbone))
    only_these_learn(recipe.modules, recipe.trained("images"))
    learning = {name.split(".")[0] for name, weight in network.named_parameters() if weight.requires_grad}
    assert learning == {"global_stage", "lifting", "pixel_stage"}
