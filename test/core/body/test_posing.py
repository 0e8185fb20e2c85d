# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from hmr_ros.core.body.posing import pose_bodies
from hmr_ros.core.people import Detections, Estimates
from test.core.conftest import random_parameters


def detections(people):
    zeros = np.zeros((people, 17))
    return Detections(
        np.zeros((people, 4)), np.full(people, 0.7), np.ones((people, 17, 2)), zeros, "coco17", np.arange(people) + 5
    )


def estimates(people):
    known = Estimates.unknown(people)
    return dataclasses.replace(known, **vars(random_parameters(people)), valid=np.ones(people, np.bool_))


def test_mesh_joints_and_parameters_agree(body):
    given = estimates(2)
    bodies = pose_bodies(detections(2), given, body)
    posed = body.posed(bodies.global_orient, bodies.body_pose, bodies.betas, bodies.cam_t)
    assert_array_equal(bodies.vertices, posed.vertices)
    assert_array_equal(bodies.joints, posed.joints)
    assert_allclose(bodies.joints[:, 0], given.cam_t, atol=1e-6)
    assert bodies.ids.tolist() == [5, 6]
    assert_array_equal(bodies.kp2d, 1)


def test_an_invalid_estimate_has_no_mesh(body):
    given = estimates(3)
    some = Estimates.unknown(3).with_rows(np.array([2, 0]), given.take(np.array([2, 0])))
    bodies = pose_bodies(detections(3), some, body)
    every = pose_bodies(detections(3), given, body)
    assert bodies.valid.tolist() == [True, False, True]
    assert np.isnan(bodies.vertices[1]).all()
    assert np.isnan(bodies.joints[1]).all()
    assert_allclose(bodies.vertices[[0, 2]], every.vertices[[0, 2]], atol=1e-6)


def test_no_people(body):
    assert pose_bodies(detections(0), Estimates.unknown(0), body).vertices.shape == (0, body.vertex_count, 3)
