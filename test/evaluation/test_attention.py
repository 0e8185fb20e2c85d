# SPDX-License-Identifier: Apache-2.0
"""Images of where the network looks."""

import dataclasses

import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.skeleton import SMPL
from hmr_ros.evaluation.attention import COLOURS, ENLARGED, SHOWN, Looks, attention_sheet, looks_of
from test.networks.global_to_pixel.test_network import SMALL, build, roughened

BODY = load_body_model(models_dir() / "open_body.npz")


@pytest.mark.parametrize("start", ["mean", "given"])
def test_the_weights_of_a_joint_sum_to_one(start):
    network = roughened(build(BODY, dataclasses.replace(SMALL, start=start))).eval()
    looks = looks_of(network, *network.example_inputs(2))
    places = SMALL.heads * SMALL.points
    assert looks.places.shape == (2, 24, 4 * places, 2)
    assert looks.level.tolist() == [level for level in range(4) for _ in range(places)]
    np.testing.assert_allclose(looks.weights.sum(2), 1, atol=1e-5)
    far = np.abs(looks.places - looks.anchors[:, :, None]).max((0, 1, 3))
    assert (far > 0).all()
    assert far[-1] > far[0], "cells of stride 32 are larger"


def test_networks_that_look_elsewhere_have_none():
    network = build(BODY, dataclasses.replace(SMALL, sampler="roi"))
    with pytest.raises(ValueError, match="attention: expected a network"):
        looks_of(network, *network.example_inputs(2))


def test_places_are_drawn_where_they_are_in_the_colour_of_their_level():
    anchors = np.full((1, 24, 2), 0.5, np.float32)
    places = np.full((1, 24, 2, 2), 9.0, np.float32)
    joint = SMPL.index(SHOWN[1])
    places[0, joint, 0] = (0.25, 0.75)
    looks = Looks(anchors, places, np.full((1, 24, 2), 1e-6, np.float32), np.array([2.0, 0.0], np.float32))
    sheet = attention_sheet(np.zeros((1, 256, 192, 3), np.uint8), looks)
    width, height = 192 * ENLARGED, 256 * ENLARGED
    assert sheet.shape == (height, width * len(SHOWN), 3)
    around = sheet[int(0.75 * height) - 2 :][:5, int(1.25 * width) - 2 :][:, :5].reshape(-1, 3).max(0)
    assert np.abs(around.astype(int) - COLOURS[2]).max() < 90
    assert not sheet[int(0.75 * height) - 2 :][:5, int(0.25 * width) - 2 :][:, :5].any(), "another joint's column"
    assert (sheet[height // 2, width // 2] == 255).all(), "the anchor"
