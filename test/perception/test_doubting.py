# SPDX-License-Identifier: Apache-2.0
"""A person whose body contradicts the track counts as hidden."""

import dataclasses

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from hmr_ros.core.people import Detections, State
from hmr_ros.core.records import join_rows
from hmr_ros.core.temporal.sizing import Sizing
from hmr_ros.perception.doubting import believed, covered, covered_people
from hmr_ros.perception.tracker import Tracks
from test.core.temporal.test_doubting import BODY, STANDING, grown, known


def seen(states: list[State]) -> Tracks:
    """Two people side by side, whose boxes cover each other by half; the first one is of the track 1."""
    people = Detections.of_boxes(np.array([[0, 0, 40, 100], [20, 0, 60, 100]]), ids=np.array([1, 2]))
    people = dataclasses.replace(people, kp2d_score=np.ones_like(people.kp2d_score))
    return Tracks(people, np.array(states, np.uint8), np.zeros(2))


def test_a_mixed_skeleton_is_a_hidden_person():
    estimates = join_rows([grown(1.4), STANDING])
    tracks, left = believed(seen([State.TRACKED, State.TRACKED]), estimates, Sizing(BODY), known(), 0.3, None)
    assert tracks.states.tolist() == [State.COASTING, State.TRACKED]
    assert_allclose(tracks.unseen_s, [0.3, 0])
    assert_allclose(tracks.people.scores, [np.exp(-0.3), 1])
    assert_array_equal(tracks.people.kp2d_score.max(1), [0, 1])
    assert tracks.seen.ids.tolist() == [2]
    assert tracks.unseen.ids.tolist() == [1]
    assert_allclose(left.betas, STANDING.betas)


def test_people_who_are_as_expected_and_those_who_coast_pass_as_they_are():
    tracks = seen([State.TRACKED, State.COASTING])
    found, left = believed(tracks, STANDING, Sizing(BODY), known(), 0.3, None)
    assert found is tracks
    assert left is STANDING


def test_people_who_are_not_found_cover_others_too():
    tracks = seen([State.TRACKED, State.COASTING])
    assert covered_people(tracks).tolist() == [True, True]
    assert covered_people(dataclasses.replace(tracks, unseen_s=np.array([0, 0.3]))).tolist() == [True]


def test_boxes_cover_others_by_a_fifth():
    boxes = np.array([[0, 0, 100, 100], [75, 0, 175, 100], [160, 0, 260, 100], [300, 0, 300, 0]], np.float64)
    assert covered(boxes).tolist() == [True, True, False, False]
    assert covered(np.zeros((0, 4))).tolist() == []
