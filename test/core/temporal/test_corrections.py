# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hmr_ros.core.temporal.corrections import MEMORY_S, CorrectionMemory

IDS = np.array([3])


def test_the_first_correction_of_a_track_stays():
    given = np.array([[0.1, -0.2]])
    np.testing.assert_array_equal(CorrectionMemory()(IDS, 5.0, given), given)


@pytest.mark.parametrize("dt_s", [MEMORY_S * np.log(2), 0.2 * MEMORY_S * np.log(2)])
def test_half_of_what_is_new_is_taken_over_within_the_same_time_at_any_frame_rate(dt_s):
    memory = CorrectionMemory()
    memory(IDS, 0.0, np.zeros((1, 2)))
    for image in range(1, round(MEMORY_S * np.log(2) / dt_s) + 1):
        found = memory(IDS, image * dt_s, np.array([[1.0, 2.0]]))
    np.testing.assert_allclose(found, [[0.5, 1.0]])


def test_what_trembles_is_smoothed_and_what_stays_is_kept(rng):
    memory, trembling = CorrectionMemory(), 0.3 + 0.1 * rng.normal(size=(300, 1, 4))
    found = np.array([memory(IDS, image / 30, now) for image, now in enumerate(trembling)])
    assert np.abs(np.diff(found, 2, 0)).mean() < 0.5 * np.abs(np.diff(trembling, 2, 0)).mean()
    assert found.mean() == pytest.approx(0.3, abs=0.01)


def test_tracks_are_known_by_their_ids_and_what_is_given_is_left_as_it_is():
    memory, given = CorrectionMemory(), np.array([[1.0], [3.0]])
    memory(np.array([3, 5]), 0.0, given)
    np.testing.assert_allclose(memory(np.array([5, 3]), 1e-9, np.zeros((2, 1))), [[3.0], [1.0]], atol=1e-6)
    np.testing.assert_array_equal(given, [[1.0], [3.0]])


def test_forgotten_tracks_and_stamps_that_go_back_begin_again():
    memory = CorrectionMemory()
    memory(np.array([3, 5]), 1.0, np.ones((2, 1)))
    memory.forget([5, 99])
    found = memory(np.array([3, 5]), 1.01, np.zeros((2, 1)))
    assert found[0, 0] > 0.5
    assert found[1, 0] == 0
    assert memory(IDS, 0.5, np.zeros((1, 1))) == 0
    memory(IDS, 0.6, np.ones((1, 1)))
    memory.reset()
    assert memory(IDS, 0.61, np.zeros((1, 1))) == 0
