# SPDX-License-Identifier: Apache-2.0
import importlib.util

import numpy as np
import pytest

from hmr_ros.bench.protocol import Options
from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.geometry.camera import project
from hmr_ros.core.manifest import models_dir
from hmr_ros.evaluation.crowd import CAMERA, HEIGHT, WIDTH, crowd_image, standing

BODY_MODEL = load_body_model(models_dir() / "open_body.npz")


@pytest.mark.parametrize("people", [1, 4, 8])
def test_a_crowd_stands_whole_in_the_image_and_side_by_side(people):
    bodies = standing(BODY_MODEL, people)
    pixels = project(bodies.vertices.astype(np.float64), CAMERA)
    low, high = pixels.min(1), pixels.max(1)
    assert (low > 0).all()
    assert (high < (WIDTH, HEIGHT)).all()
    apart = (high[:, None] < low[None]).any(-1) | (low[:, None] > high[None]).any(-1)
    assert apart[~np.eye(people, dtype=bool)].all()
    image = crowd_image(BODY_MODEL, people)
    assert image.shape == (HEIGHT, WIDTH, 3)
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 100


@pytest.mark.ros
@pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")  # of a module that rclpy loads
@pytest.mark.skipif(importlib.util.find_spec("hmr_ros.msg") is None, reason="needs ROS 2 and the built workspace")
def test_both_mesh_messages_are_equal():
    from hmr_ros.bench import messages

    row = messages.run(Options(repeats=1))
    assert row["goals"]["both messages are equal"]
    assert row["settings"]["points"] == BODY_MODEL.faces.size
