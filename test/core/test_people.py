# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest

from hmr_ros.core.people import UNTRACKED, Bodies, Camera, Detections, Estimates

K = np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]])


def detections(people: int) -> Detections:
    return Detections(
        np.zeros((people, 4)),
        np.linspace(0, 1, people),
        np.zeros((people, 17, 2)),
        np.zeros((people, 17)),
        "coco17",
        np.full(people, UNTRACKED),
    )


def test_no_people_are_a_normal_value():
    assert len(Detections.empty("blazepose")) == 0
    assert len(Bodies.without_geometry(Detections.empty("coco17"), 6890)) == 0


def test_take_keeps_rows_together():
    taken = detections(4).take(np.array([2, 0]))
    np.testing.assert_allclose(taken.scores, [2 / 3, 0])
    assert taken.kp2d.shape == (2, 17, 2)
    assert taken.joint_set == "coco17"


def test_a_wrong_shape_says_what_was_expected():
    with pytest.raises(ValueError, match=r"Detections\.kp2d: expected shape \(2, 33, 2\), got \(2, 17, 2\)"):
        Detections(
            np.zeros((2, 4)), np.zeros(2), np.zeros((2, 17, 2)), np.zeros((2, 17)), "blazepose", np.zeros(2, int)
        )


def test_bodies_without_geometry_are_not_a_position():
    bodies = Bodies.without_geometry(detections(2), 10)
    assert not bodies.valid.any()
    assert np.isnan(bodies.cam_t).all()
    assert bodies.vertices.shape == (2, 10, 3)


@pytest.mark.parametrize("focal", [0.0, -1.0, np.nan])
def test_an_uncalibrated_camera_is_refused(focal):
    broken = K.copy()
    broken[0, 0] = focal
    with pytest.raises(ValueError, match="focal lengths must be positive"):
        Camera(broken, 640, 480)


def test_an_image_without_size_is_refused():
    with pytest.raises(ValueError, match="positive image size"):
        Camera(K, 0, 480)


def test_estimates_of_some_rows_leave_the_others_unknown():
    some = Estimates(
        *(np.ones((2, *shape)) for shape in ((3,), (23, 3), (10,), (3,), (24,), (24,), (24, 3, 3), (3, 3))),
        valid=np.array([True, True]),
    )
    every = Estimates.unknown(4).with_rows(np.array([3, 1]), some)
    assert every.valid.tolist() == [False, True, False, True]
    assert np.isnan(every.cam_t[[0, 2]]).all()
    assert (every.body_pose[[1, 3]] == 1).all()
    assert every.betas.dtype == np.float32
    assert len(every.take(every.valid)) == 2


def test_estimates_of_another_shape_are_refused():
    known = Estimates.unknown(2)
    with pytest.raises(ValueError, match=r"Estimates.betas: expected shape \(2, 10\), got \(2, 9\)"):
        dataclasses.replace(known, betas=np.zeros((2, 9)))
