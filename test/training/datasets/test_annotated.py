# SPDX-License-Identifier: Apache-2.0
"""The record that readers of licensed data sets share."""

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.skeleton import COCO17
from hmr_ros.training.datasets.annotated import (
    OPENPOSE18,
    AnnotatedPeople,
    camera_matrix,
    pelvis_of,
    to_coco17,
    unknown,
)


def people(count: int) -> AnnotatedPeople:
    names = np.array([f"{k}.jpg" for k in range(count)])
    return AnnotatedPeople(
        image=names,
        person=names,
        track=names,
        frame=np.arange(count),
        kp2d=np.arange(count * 34.0).reshape(count, 17, 2),
        kp2d_score=np.ones((count, 17)),
        joint_set="coco17",
        kp2d_source="annotations",
        box=unknown(count, 4),
        pose=unknown(count, 24, 3),
        betas=unknown(count, 10),
        gender=np.array(["neutral"] * count),
        cam_t=unknown(count, 3),
        human36m=unknown(count, 17, 3),
        K=camera_matrix(np.full((count, 2), 500.0), np.full((count, 2), 200.0)),
        image_size=unknown(count, 2),
    )


def test_rows_stay_together():
    taken = people(4).take(np.array([2, 0]))
    assert taken.image.tolist() == ["2.jpg", "0.jpg"]
    assert_allclose(taken.kp2d, people(4).kp2d[[2, 0]])
    assert (len(taken), taken.joint_set) == (2, "coco17")
    assert len(people(0)) == 0


@pytest.mark.parametrize(
    "name", [f.name for f in dataclasses.fields(AnnotatedPeople) if f.name not in ("image", "joint_set", "kp2d_source")]
)
def test_columns_of_another_length_are_refused(name: str):
    with pytest.raises(ValueError, match=rf"AnnotatedPeople\.{name}: expected shape \(3,.*got \(2,"):
        dataclasses.replace(people(3), **{name: getattr(people(2), name)})


def test_keypoints_are_put_in_cocos_order_by_name():
    named = np.array([[[10.0 * k, k, 1] for k in range(len(OPENPOSE18))]])
    coco = to_coco17(named, OPENPOSE18)
    assert coco.shape == (1, 17, 3)
    for joint in ("nose", "left_wrist", "right_ear"):
        assert coco[0, COCO17.index(joint), 1] == OPENPOSE18.index(joint)


def test_a_camera_matrix_has_focal_lengths_and_principal_point_in_place():
    K = camera_matrix(np.array([[500.0, 600]]), np.array([[320.0, 240]]))
    assert_allclose(K[0], [[500, 0, 320], [0, 600, 240], [0, 0, 1]])


def test_smpls_translation_moves_the_rest_pose_whose_pelvis_is_not_at_the_origin():
    body = load_body_model(models_dir() / "open_body.npz")
    betas = np.random.default_rng(0).normal(size=(2, 10))
    transl = np.array([[0.0, 0, 0], [1, 2, 3]])
    assert_allclose(pelvis_of(transl, betas, body) - transl, body.rest_joints(betas)[:, 0], atol=1e-6)


def test_what_is_unknown_is_no_number():
    assert unknown(2, 3).shape == (2, 3)
    assert np.isnan(unknown(2, 3)).all()
    assert unknown(1).dtype == np.float32
