# SPDX-License-Identifier: Apache-2.0
"""Settings of a training run: what may be set, and what a recipe that says nothing of it gets."""

from pathlib import Path

import pytest

from hmr_ros.core.settings import load_toml, updated
from hmr_ros.training.config import CropConfig, RunConfig, StageConfig, TrainConfig
from hmr_ros.training.data_config import DataConfig
from hmr_ros.training.heatmap_loss import HeatmapLossConfig
from hmr_ros.training.recipe_files import find_recipe
from hmr_ros.training.synthetic.images import ImageMix
from hmr_ros.training.synthetic.keypoints import KeypointMix
from hmr_ros.training.synthetic.people import PeopleMix, evaluated_people
from test.training.published import assert_published, assert_ranges


def test_a_recipe_that_says_nothing_of_it_trains_as_published():
    stage = {"steps": 20_000, "batch_size": 512, "learning_rate": 1e-3, "weight_decay": 0.01, "warmup": 500}
    assert_published(StageConfig, **stage, milestones=(0.8,), gamma=0.1, epochs=15, clip=1.0)
    intervals = {"log_every": 100, "validate_every": 2000, "validation_people": 2000}
    run = {"seed": 0, "workers": 1, "threads": 0, "bfloat16": True, "compile": False, "accumulate": 1, "ema": 0.999}
    run |= {"mean_with": ()}
    assert_published(RunConfig, **run, **intervals)
    assert_published(DataConfig, motion=0, human36m=0, coco=0, mpi_inf_3dhp=0, mpii=0, threedpw=0, surreal=0)
    crops = {"box_scale": 0.15, "box_shift": 0.05, "flip": 0.5, "without_image": 4.0, "without_keypoints": 0.2}
    crops |= {"own_keypoints": 0.0, "trunk": 1.0}
    unchanged = {"roll": 0.0, "light": 0.0, "noise": 0.0, "frozen_stride": 0, "photos_per_step": 4}
    assert_published(CropConfig, backbone=0.0, lifting_fraction=0.0, local_fraction=1.0, **crops, **unchanged)
    assert_published(HeatmapLossConfig, focal=0.5, cells=0.25, regression=0.05, offset=0.25, photos=0.5)


def test_settings_are_limited_where_nothing_more_or_less_makes_sense():
    assert_ranges(StageConfig, batch_size=(2, None), milestones=(0, 1), gamma=(0, 1), epochs=(1, None))
    at_least_one = dict.fromkeys(("accumulate", "log_every", "validate_every", "validation_people"), (1, None))
    assert_ranges(RunConfig, ema=(0, 1), **at_least_one)
    assert_ranges(DataConfig)
    stored = {"box_scale": (0, 0.25), "box_shift": (0, 0.2)}  # what stored crops have room for
    images = {"roll": (0, 180), "light": (0, 0.9), "noise": (0, 100), "photos_per_step": (1, None)}
    assert_ranges(CropConfig, **stored, **images)
    assert_ranges(HeatmapLossConfig)


@pytest.mark.parametrize("name", ["pose2mesh", "global_to_pixel", "global_to_pixel_thunder"])
def test_recipes_change_no_people_that_errors_are_published_of(name: str):
    config = load_toml(find_recipe(Path(name)), TrainConfig)
    assert evaluated_people(config.people) == evaluated_people(PeopleMix())
    assert (config.keypoints, config.image_mix) == (KeypointMix(), ImageMix())


def test_a_value_out_of_its_range_is_refused():
    with pytest.raises(ValueError, match=r"crops.flip: expected 0 to 1"):
        TrainConfig(crops=CropConfig(flip=1.5))


def test_a_whole_network_to_start_from_leaves_no_part_of_it_open():
    with pytest.raises(ValueError, match=r"run\.start: it holds the whole network"):
        updated(TrainConfig(), {"run.start": "a.json", "run.local_stage": "b.onnx"})


def test_the_papers_recipe_takes_no_other_lifting_network():
    with pytest.raises(ValueError, match=r"run\.lifting: .* leave it empty"):
        updated(TrainConfig(), {"recipe": "paper", "run.lifting": "best.pt"})
