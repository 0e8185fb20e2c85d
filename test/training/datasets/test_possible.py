# SPDX-License-Identifier: Apache-2.0
"""Annotations that cannot be count as not given, one by one."""

import dataclasses

import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.training.datasets.cameras import completed
from hmr_ros.training.datasets.coco_fits import read_coco_fits
from hmr_ros.training.datasets.possible import impossible, possible
from test.training.datasets import made

BODY = load_body_model(models_dir() / "open_body.npz", np.float64)


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    names = ["a.jpg", "b.jpg", "c.jpg"]
    return read_coco_fits(made.write_neuralannot(tmp_path_factory.mktemp("x"), made.people(names, body=BODY)), BODY)


def with_value(people, name, index, value):
    column = getattr(people, name).copy()
    column[index] = value
    return dataclasses.replace(people, **{name: column})


def test_what_can_be_stays(people):
    assert not impossible(people).any()
    for name in ("kp2d", "kp2d_score", "box", "pose", "betas", "cam_t", "K", "image_size", "human36m"):
        np.testing.assert_array_equal(getattr(possible(people), name), getattr(people, name))
    assert len(possible(people.take(slice(0, 0)))) == 0


@pytest.mark.parametrize(
    ("name", "index", "value"),
    [
        ("kp2d", (1, 3, 0), np.nan),
        ("kp2d", (1, 3, 0), -np.inf),
        ("kp2d_score", (1, 3), np.inf),
        ("box", (1, 2), 0.0),
        ("box", (1, 0), 1e30),
        ("pose", (1, 5, 0), np.inf),
        ("betas", (1, 0), 1e30),
        ("cam_t", (1, 2), -1.0),
        ("cam_t", (1, 0), np.inf),
        ("K", (1, 0, 0), 0.0),
        ("K", (1, 1, 1), -800.0),
        ("K", (1, 0, 2), np.inf),
        ("image_size", (1, 0), 0.0),
    ],
)
def test_what_cannot_be_is_unknown_and_counted(people, name, index, value):
    odd = with_value(people, name, index, value)
    assert impossible(odd).tolist() == [False, True, False]
    left = possible(odd)
    assert not impossible(left).any()
    ready = completed(odd, {"neutral": BODY})
    for column in ("kp2d", "kp2d_score", "box", "cam_t", "K"):
        assert np.isfinite(getattr(ready, column)).all(), column
    assert (ready.K[:, [0, 1], [0, 1]] > 0).all()
    assert (ready.cam_t[:, 2] > 0).all()
    assert left.fitted.tolist() == [True, name not in ("pose", "betas"), True]
