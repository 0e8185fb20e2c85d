# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest

from hmr_ros.core.body.capsules import Capsules
from hmr_ros.core.body.posing import pose_bodies
from hmr_ros.core.people import Detections, Estimates
from hmr_ros.core.temporal.sweeping import swept
from test.core.temporal.standing import BODY
from test.core.test_forecasts import CALIBRATION as FORECASTS
from test.core.test_uncertainty import CALIBRATION
from test.ros.stubs import with_forecasts

AHEAD_S = (0.25, 0.5, 1.0)
CALIBRATED = dataclasses.replace(CALIBRATION, forecast=FORECASTS)


def walkers(people=2):
    """People who walk to the right at 1 m/s; their covariances grow with the time."""
    estimates = dataclasses.replace(
        Estimates.unknown(people),
        global_orient=np.tile([np.pi, 0, 0], (people, 1)),
        body_pose=np.zeros((people, 23, 3)),
        betas=np.zeros((people, 10)),
        cam_t=np.tile([0.0, 0, 4], (people, 1)) + np.arange(people)[:, None],
        joint_covariance=np.tile(0.0 * np.eye(3), (people, 24, 1, 1)),
        root_covariance=np.tile(0.01 * np.eye(3), (people, 1, 1)),
        valid=np.ones(people, np.bool_),
    )
    return with_forecasts(pose_bodies(Detections.of_boxes(np.zeros((people, 4))), estimates, BODY), AHEAD_S)


def capsules_of(bodies) -> Capsules:
    return BODY.capsules.posed(bodies.vertices, bodies.betas)


def test_the_swept_volume_holds_the_body_now_and_later():
    bodies = walkers()
    now = capsules_of(bodies)
    volume = swept(now, bodies, 0.9, CALIBRATED)
    count, skin = now.radii.shape[1], bodies.vertices[:, ::13]
    outside = now.distances(skin).max(1, keepdims=True)
    assert volume.radii.shape == (2, 4 * count)
    np.testing.assert_array_equal(volume.starts[:, :count], now.starts)
    for seconds in (0.0, *AHEAD_S):
        assert (volume.distances(skin + [seconds, 0, 0]) <= outside + 1e-5).all()
    assert (volume.distances(skin + [3.0, 0, 0]) > 0).all()


@pytest.mark.parametrize(("level", "radius"), [(0.5, 1.0), (0.9, 2.0), (0.95, 3.0)])
def test_margins_are_what_time_adds_at_the_level_in_steps(level, radius):
    bodies = walkers()
    now = capsules_of(bodies)
    grown = (swept(now, bodies, level, CALIBRATED).radii.reshape(2, 4, -1) - now.radii[:, None])[0, :, 0]
    added = radius * np.sqrt(0.01 * np.array([0.0, *AHEAD_S]))
    np.testing.assert_allclose(grown, 0.05 * np.ceil(added / 0.05 - 1e-6), atol=1e-9)


def test_without_a_calibration_errors_count_as_normal():
    bodies = walkers()
    added = swept(capsules_of(bodies), bodies, 0.9, None).radii.reshape(2, 4, -1)[0, 3] - capsules_of(bodies).radii[0]
    np.testing.assert_allclose(added, 0.3)


def test_people_without_forecasts_or_covariances_are_where_they_are():
    bodies = walkers()
    now = capsules_of(bodies)
    assert swept(now, dataclasses.replace(bodies, forecasts=None), 0.9, None) is now
    bodies.forecasts.root_covariance[:] = np.nan
    np.testing.assert_allclose(swept(now, bodies, 0.9, None).radii.reshape(2, 4, -1), np.stack([now.radii] * 4, 1))
    none = bodies.take(np.zeros(0, np.int64))
    assert swept(capsules_of(none), none, 0.9, None).radii.shape[0] == 0
