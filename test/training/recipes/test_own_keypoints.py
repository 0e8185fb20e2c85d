# SPDX-License-Identifier: Apache-2.0
"""People with the keypoints that the backbone finds itself, beside others."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.training.recipes.own_keypoints import WithOwnKeypoints, seen_people
from hmr_ros.training.synthetic.images import ImageMix, ImageSampler
from hmr_ros.training.synthetic.images.shards.shards import shard_path, write_shard
from test.training.datasets.test_motion import small_motion
from test.training.recipes.test_global_to_pixel import recipe

BODY = load_body_model(models_dir() / "open_body.npz")


class Brightness(torch.nn.Module):
    """A backbone that takes the mean colour of a crop for all of its keypoints."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self, image):
        assert not self.training
        colour = image.float().mean((1, 2)) / 255 * self.weight
        return SimpleNamespace(keypoints=colour[:, None].expand(-1, 21, -1))


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """Two shards of three people."""
    directory = tmp_path_factory.mktemp("shards")
    sampler = ImageSampler(small_motion(), BODY, "coco_feet", ImageMix())
    for number in range(2):
        write_shard(sampler.sample(np.random.default_rng(number), 3), shard_path(directory, number))
    return directory


def test_each_person_is_seen_once_with_the_backbone_s_keypoints(shards):
    made, backbone, images = recipe(), Brightness(), []

    def observe(drawn, rng):
        batch = made._observer.augmented(drawn, rng)
        images.append(batch.image)
        return batch

    def say(features, given):
        return features.keypoints, given

    seen, (own, given) = seen_people(backbone, shards, observe, say, bfloat16=False)
    assert [len(part) for part in images] == [3, 3]
    assert len(seen.image) == 0
    torch.testing.assert_close(own, backbone.eval()(torch.cat(images)).keypoints)
    torch.testing.assert_close(given, seen.keypoints)
    assert not own.requires_grad
    assert len(seen.rotations) == len(seen.places) == 6


def test_a_batch_holds_the_fraction_that_is_asked_for(shards):
    made = recipe(crops__shards=str(shards), crops__own_keypoints=0.25)
    made._network.backbone.forward = Brightness().eval().forward
    sampler = made.sampler("train", "local")
    assert isinstance(sampler, WithOwnKeypoints)
    batch = made.batch(sampler, np.random.default_rng(0), 8)
    assert len(batch.camera) == 8
    assert len(batch.image) == 0
    alike = (batch.keypoints == batch.keypoints[:, :1]).all(1).all(1)
    assert alike.tolist() == [True] * 2 + [False] * 6
    again = made.batch(sampler, np.random.default_rng(0), 8)
    torch.testing.assert_close(again.keypoints, batch.keypoints)


def test_they_need_shards():
    with pytest.raises(ValueError, match=r"^crops\.own_keypoints: set crops\.shards"):
        recipe(crops__own_keypoints=0.5).sampler("train", "local")
