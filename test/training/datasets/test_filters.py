# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.training.datasets.annotated import AnnotatedPeople, unknown
from hmr_ros.training.datasets.cameras import completed
from hmr_ros.training.datasets.filters import filtered, joint_distance_mm, keypoint_distance_px, neutral_betas
from hmr_ros.training.datasets.spin import read_spin
from test.training.datasets import made

BODY = load_body_model(models_dir() / "open_body.npz", np.float64)
BODIES = {"neutral": BODY}


@pytest.fixture
def people(tmp_path) -> AnnotatedPeople:
    """Three people whose fits are exact."""
    path = made.write_spin(tmp_path / "x.npz", made.people(["a", "b", "c"], body=BODY))
    return completed(read_spin(path, BODY), BODIES, lambda name: made.SIZE)


@pytest.mark.parametrize(("error_mm", "kept"), [(24.0, True), (26.0, False)])
def test_a_fit_25_mm_from_the_measured_joints_is_none(people, error_mm, kept):
    """A fit that is only moved is no worse: half the joints move up and half of them down."""
    error = np.zeros((17, 3))
    error[:16, 1] = error_mm / 1000 * 17 / 16 * np.where(np.arange(16) % 2, 1, -1)
    wrong = dataclasses.replace(people, human36m=people.human36m + error + [1.0, 2.0, 3.0])
    found = filtered(wrong, BODIES)
    assert found.fitted.tolist() == [kept] * 3
    assert found.measured.all(), "the joints are still true"


@pytest.mark.parametrize(("error_px", "kept"), [(2.9, True), (3.1, False)])
def test_a_fit_3_px_in_64_from_the_keypoints_is_none(people, error_px, kept):
    people = dataclasses.replace(people, human36m=unknown(3, 17, 3))
    xy = made.people(["a", "b", "c"], body=BODY).kp2d
    side = (xy.max(1) - xy.min(1)).max(1)
    wrong = dataclasses.replace(people, kp2d=people.kp2d + (error_px * side / 64)[:, None, None] * [0.6, 0.8])
    assert filtered(wrong, BODIES).fitted.tolist() == [kept] * 3
    unseen = dataclasses.replace(wrong, kp2d_score=np.zeros((3, 17)))
    assert filtered(unseen, BODIES).fitted.all(), "nothing speaks against it"


def test_an_extreme_shape_becomes_the_mean_shape(people):
    betas = people.betas.copy()
    betas[0, 4], betas[1, 4] = -3.1, 2.9
    found = filtered(dataclasses.replace(people, betas=betas, human36m=unknown(3, 17, 3)), BODIES)
    assert (found.betas[0] == 0).all()
    np.testing.assert_allclose(found.betas[1], betas[1])


def test_distances_are_the_obvious_ones(people):
    vertices = BODY.posed(people.pose[:, 0], people.pose[:, 1:], people.betas, people.cam_t).vertices
    moved = dataclasses.replace(people, human36m=people.human36m.copy())
    moved.human36m[1, 3] += [0.0, 0.17, 0]
    difference = np.full((17, 3), [0, -0.01, 0])
    difference[3] += [0, 0.17, 0]
    expected = 1000 * np.linalg.norm(difference, axis=1).mean()
    np.testing.assert_allclose(
        joint_distance_mm(BODY.regressor("human36m") @ vertices, moved), [0, expected, 0], atol=0.01
    )
    assert keypoint_distance_px(BODY.regressor("coco17") @ vertices, people).max() < 0.05


def test_a_shape_of_another_gender_becomes_the_nearest_neutral_one():
    rng = np.random.default_rng(0)
    template = BODY.v_template + BODY.shapedirs @ np.array([0.5, -1.0, 0, 0, 0, 0, 0, 0, 0, 0]) + [0.0, 0.2, 0]
    female = dataclasses.replace(BODY, v_template=template, shapedirs=BODY.shapedirs[..., ::-1])
    betas = rng.normal(size=(2, 10))
    expected = betas[:, ::-1] + [0.5, -1, 0, 0, 0, 0, 0, 0, 0, 0]
    np.testing.assert_allclose(neutral_betas(betas, female, BODY), expected, atol=1e-5)
    assert neutral_betas(betas, BODY, BODY) is betas
