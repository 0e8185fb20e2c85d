# SPDX-License-Identifier: Apache-2.0
import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from hmr_ros.core.forecasts import Forecasts
from hmr_ros.core.hands import BodyHands
from hmr_ros.core.people import UNTRACKED, Bodies, Camera, Detections, Estimates, State
from hmr_ros.core.uncertainty import Covariances

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


def forecasts(people: int) -> Forecasts:
    shapes = ((2, 3), (2, 24, 3), (2, 24, 3, 3), (2, 3, 3))
    return Forecasts(*(np.zeros((people, *shape)) for shape in shapes), ahead_s=(0.5, 1.0))


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


RECORDS = {
    "detections": detections(3),
    "estimates": Estimates.unknown(3),
    "bodies": Bodies.without_geometry(detections(3), 10),
    "forecasts": forecasts(3),
}
COLUMNS = [
    (kind, f.name)
    for kind, record in RECORDS.items()
    for f in dataclasses.fields(record)
    if isinstance(getattr(record, f.name), np.ndarray)
]


@pytest.mark.parametrize(("kind", "name"), COLUMNS)
def test_every_column_has_a_row_for_each_person_and_its_shape(kind, name):
    record = RECORDS[kind]
    column = getattr(record, name)
    wrong = [column[..., None], np.concatenate([column, column[:1]])]
    for axis, size in enumerate(column.shape[1:], start=1):
        if (kind, name, axis) not in {("crops", "images", 1), ("crops", "images", 2), ("bodies", "vertices", 1)}:
            wrong.append(np.zeros((*column.shape[:axis], size + 1, *column.shape[axis + 1 :])))
    for value in wrong:
        with pytest.raises(ValueError, match=rf"{type(record).__name__}\.\w+: expected shape"):
            dataclasses.replace(record, **{name: value})


@pytest.mark.parametrize("name", [f.name for f in dataclasses.fields(BodyHands)])
def test_hands_have_a_row_for_each_person(name):
    hands = BodyHands.at_rest(3)
    assert not hands.known.any()
    assert np.isnan(hands.fingers).all()
    with pytest.raises(ValueError, match=r"BodyHands\.\w+: expected shape"):
        dataclasses.replace(hands, **{name: getattr(hands, name)[:2]})
    bodies = dataclasses.replace(RECORDS["bodies"], hands=hands)
    assert len(bodies.take(np.array([0, 2])).hands) == 2
    with pytest.raises(ValueError, match="hands of 3 people, got those of 2"):
        dataclasses.replace(bodies, hands=hands.take(slice(2)))


def test_forecasts_are_of_the_same_people():
    bodies = Bodies.without_geometry(detections(3), 10)
    with pytest.raises(ValueError, match=r"Bodies.forecasts: expected 3 people, got 2"):
        dataclasses.replace(bodies, forecasts=forecasts(2))
    assert len(dataclasses.replace(bodies, forecasts=forecasts(3)).take(np.array([0, 2])).forecasts) == 2


def test_states_are_numbered_as_in_the_message():
    message = (Path(__file__).parents[2] / "msg" / "SmplBody.msg").read_text()
    constants = dict(re.findall(r"^uint8 (\w+)=(\d+)", message, re.MULTILINE))
    assert {state.name: str(int(state)) for state in State} == constants


def test_uncertainty_is_for_valid_people_only():
    given = dataclasses.replace(Estimates.unknown(2), valid=np.array([False, True]))
    error, joints, root = np.full((2, 24), 0.1), np.full((2, 24, 3, 3), 0.2), np.full((2, 3, 3), 0.3)
    known = given.with_uncertainty(error, Covariances(joints, root))
    for column, value in ((known.joint_error, 0.1), (known.joint_covariance, 0.2), (known.root_covariance, 0.3)):
        assert np.isnan(column[0]).all()
        assert (column[1] == value).all()


def test_numbers_that_are_too_large_are_infinite():
    found = Detections.of_boxes(np.array([[0.0, 0, 1e300, 1]]), np.array([-1e300]))
    assert found.boxes[0, 2] == np.inf
    assert found.scores[0] == -np.inf
