# SPDX-License-Identifier: Apache-2.0
"""What an oracle of pixels changes."""

import dataclasses

import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.geometry.crop_view import CropView
from hmr_ros.core.manifest import models_dir
from hmr_ros.evaluation.held_out.case import Shown
from hmr_ros.evaluation.held_out.crop_predictor import trained_crop_predictor
from hmr_ros.evaluation.held_out.predictor import open_predictor
from hmr_ros.networks.global_to_pixel.pixels import centres
from test.networks.global_to_pixel.test_network import SMALL, build, roughened

BODY = load_body_model(models_dir() / "open_body.npz")


@pytest.fixture(scope="module")
def network():
    return roughened(build(BODY, SMALL)).eval()


@pytest.fixture(scope="module")
def shown(network):
    """Two people in images of noise, all of whose joints are in the last cell of the crop."""
    image, keypoints, camera = (x.numpy() for x in network.example_inputs(2))
    view = CropView(np.array([[0, 0, 192, 256.0]] * 2), camera[:, :2], camera[:, 2])
    anchors = np.broadcast_to(centres()[-1].numpy(), (2, 24, 2)).copy()
    return Shown(image, keypoints, view, anchors)


def stages(network, shown, oracle):
    return {
        found.stage: found for found in trained_crop_predictor("g2p", network, BODY, oracle=oracle).stages(shown)[0]
    }


def test_an_oracle_adds_the_local_stage_with_the_true_pixels(network, shown):
    told, alone = stages(network, shown, oracle=True), stages(network, shown, oracle=False)
    assert list(told) == ["global stage", "true pixels", "local stage"]
    assert list(alone) == ["global stage", "local stage"]
    np.testing.assert_array_equal(told["local stage"].rotations, alone["local stage"].rotations)
    assert np.abs(told["true pixels"].rotations - told["local stage"].rotations).max() > 1e-4
    elsewhere = dataclasses.replace(shown, anchors=1 - shown.anchors)
    moved = stages(network, elsewhere, oracle=True)
    assert np.abs(moved["true pixels"].rotations - told["true pixels"].rotations).max() > 1e-4


def test_an_oracle_needs_the_ground_truth_and_a_checkpoint(network, shown):
    with pytest.raises(ValueError, match="--oracle: set --motion or --shards"):
        stages(network, dataclasses.replace(shown, anchors=None), oracle=True)
    with pytest.raises(ValueError, match=r"--oracle: .*pose2mesh.json: expected a checkpoint \(.pt\)"):
        open_predictor(models_dir() / "pose2mesh.json", BODY, oracle=True)
