# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest

from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.hands import BodyHands
from hmr_ros.core.people import Bodies
from hmr_ros.core.ros4hri.gestures import BEGINS_S, ENDS_S, Gesture, GestureRecognizer
from hmr_ros.core.skeleton import SMPL
from hmr_ros.evaluation.gestures.report import bodies_of
from hmr_ros.evaluation.gestures.sequences import Arms

STEP_S = 0.1


def person(body: BodyModel, upper: list[list[float]], fore: list[list[float]], images: int = 1) -> Bodies:
    """A body with arms in these directions, x forward, y left, z up; as it is estimated at best."""
    arms = Arms(*(np.tile(_unit(part), (images, 1, 1)) for part in (upper, fore)))
    return bodies_of(arms, body, Exactly())


def _unit(directions: list[list[float]]) -> np.ndarray:
    rows = np.array(directions, float)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


class Exactly:
    """A generator without chance: all numbers are the means."""

    def normal(self, mean: float = 0.0, deviation: float = 1.0, size: object = None) -> np.ndarray:
        return np.full(size, mean, float)


DOWN = [[0.1, 0.15, -1], [0.1, -0.15, -1]]
UP = [[0.2, 0.3, 1], [0.2, -0.3, 1]]


def after(bodies: Bodies, recognizer: GestureRecognizer | None = None, start_s: float = 0.0) -> list[Gesture | None]:
    """The gesture of the person in each of ten images that show the first of ``bodies``."""
    recognizer = recognizer or GestureRecognizer()
    return [recognizer(bodies, start_s + k * STEP_S).get(1) for k in range(10)]


@pytest.mark.parametrize(
    ("upper", "fore", "gesture"),
    [
        (DOWN, DOWN, None),
        ([UP[0], DOWN[1]], [UP[0], DOWN[1]], Gesture.LEFT_HAND_RAISED),
        ([DOWN[0], UP[1]], [DOWN[0], UP[1]], Gesture.RIGHT_HAND_RAISED),
        (UP, UP, Gesture.BOTH_HANDS_RAISED),
        ([[0.3, 0.1, -1], [0.3, -0.1, -1]], [[0.35, -1, 0.2], [0.35, 1, 0.2]], Gesture.ARMS_CROSSED),
        ([[0.85, 0.1, -0.4], DOWN[1]], [[-0.25, -0.5, 1], DOWN[1]], Gesture.HANDS_ON_FACE),
        ([[1, 0.2, -0.2], DOWN[1]], [[1, 0.2, -0.2], DOWN[1]], None),
    ],
)
def test_gestures_are_what_arms_do(exact_body: BodyModel, upper, fore, gesture):
    assert after(person(exact_body, upper, fore))[-1] == gesture


def test_a_gesture_begins_and_ends_after_a_moment(exact_body: BodyModel):
    recognizer = GestureRecognizer()
    up, down = person(exact_body, UP, UP), person(exact_body, DOWN, DOWN)
    made = after(up, recognizer)
    first = made.index(Gesture.BOTH_HANDS_RAISED)
    assert first == round(BEGINS_S / STEP_S)
    assert set(made[first:]) == {Gesture.BOTH_HANDS_RAISED}
    assert after(down, recognizer, 1.0).index(None) == round(ENDS_S / STEP_S)


def test_a_glimpse_is_no_gesture(exact_body: BodyModel):
    recognizer = GestureRecognizer()
    up, down = person(exact_body, UP, UP), person(exact_body, DOWN, DOWN)
    for k in range(20):
        assert not recognizer(up if k % 3 == 0 else down, k * STEP_S)


def test_a_gesture_goes_on_a_little_below_its_threshold(exact_body: BodyModel):
    """Hysteresis: what is raised just below does not begin, and does not end."""
    recognizer = GestureRecognizer()
    low = person(exact_body, [[1, 0.2, 0.18], DOWN[1]], [[1, 0.2, 0.18], DOWN[1]])
    assert after(low)[-1] is None
    after(person(exact_body, [UP[0], DOWN[1]], [UP[0], DOWN[1]]), recognizer)
    assert after(low, recognizer, 1.0)[-1] == Gesture.LEFT_HAND_RAISED


def test_after_a_gap_all_begins_again(exact_body: BodyModel):
    recognizer, up = GestureRecognizer(), person(exact_body, UP, UP)
    after(up, recognizer)
    assert not recognizer(up, 2.0)


@pytest.mark.parametrize(("rate_hz", "waves"), [(1.5, True), (0.2, False)])
def test_waving_is_several_swings(exact_body: BodyModel, rate_hz: float, waves: bool):
    recognizer, found = GestureRecognizer(), set()
    for t in np.arange(0, 3, 1 / 15):
        swing = np.radians(25) * np.sin(2 * np.pi * rate_hz * t)
        fore = [[0.2, np.sin(swing), np.cos(swing)], DOWN[1]]
        found |= set(recognizer(person(exact_body, [[0.3, 0.6, -0.6], DOWN[1]], fore), float(t)).values())
    assert (Gesture.WAVING in found) == waves


def test_an_arm_that_is_raised_in_an_arc_does_not_wave(exact_body: BodyModel):
    """It swings far out and back in, and a little out again when it has arrived."""
    recognizer, found = GestureRecognizer(), set()
    for k, lean in enumerate(np.interp(np.arange(40) / 15, [0, 0.6, 1.2, 1.6], [0, 80, 0, 29])):
        fore = [[0, np.sin(np.radians(lean)), np.cos(np.radians(lean))], DOWN[1]]
        found |= set(recognizer(person(exact_body, [[0.3, 0.6, -0.6], DOWN[1]], fore), k / 15).values())
    assert Gesture.WAVING not in found


def test_a_seen_hand_says_where_it_is(exact_body: BodyModel):
    """The body's own hand is near the face, the one that is seen is not."""
    near = person(exact_body, [[0.85, 0.1, -0.4], DOWN[1]], [[-0.25, -0.5, 1], DOWN[1]])
    joints = np.repeat(near.joints[:, [SMPL.index("left_elbow")], None], 2, 1).repeat(21, 2)
    away = dataclasses.replace(BodyHands.at_rest(1), weights=np.array([[1.0, 0]]), joints=joints)
    assert after(dataclasses.replace(near, hands=away))[-1] is None


def test_people_are_told_apart_and_no_people_make_no_gesture(exact_body: BodyModel):
    recognizer = GestureRecognizer()
    other = dataclasses.replace(person(exact_body, DOWN, DOWN), ids=np.array([7]))
    assert recognizer(other.take(slice(0)), 0.0) == {}
    for k in range(5):
        found = recognizer(person(exact_body, UP, UP), k * STEP_S) | recognizer(other, k * STEP_S + 0.01)
    assert found == {1: Gesture.BOTH_HANDS_RAISED}
