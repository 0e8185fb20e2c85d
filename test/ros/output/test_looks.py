# SPDX-License-Identifier: Apache-2.0
"""Looks go from a camera's node to the one that fuses, by stamp and by the names that messages have."""

import numpy as np

from hmr_ros.perception.appearance import Look
from hmr_ros.ros.output.looks import SharedLooks
from hmr_ros.ros.wire.cdr import Stamp
from hmr_ros.ros.wire.messages import kept_id, person_name
from test.perception.rooms.rooms import worn

RED, BLUE = np.full((4, 3), 0.3), np.full((4, 3), -0.2)


def test_looks_are_those_of_the_people_in_the_image_of_that_stamp():
    shared = SharedLooks()
    shared.of_camera("front").put(Stamp(1, 0), np.array([7, 8 + 2 * 26**5]), worn([RED, BLUE]))
    shared.of_camera("front").put(Stamp(2, 0), np.array([8]), worn([RED]))
    read = np.array([kept_id(person_name(track)) for track in (8, 9, 7)])
    found = shared.of("front", Stamp(1, 0), read)
    np.testing.assert_array_equal(found.mean, [BLUE, np.zeros((4, 3)), RED])
    assert found.views[:, 0].tolist() == [10, 0, 10]
    assert shared.of("back", Stamp(1, 0), read).views.max() == 0
    assert len(shared.of("front", Stamp(1, 0), read[:0])) == 0


def test_old_images_are_forgotten():
    shared = SharedLooks()
    for second in range(40):
        shared.put("front", Stamp(second, 0), np.array([7]), worn([RED]))
    assert shared.of("front", Stamp(0, 0), np.array([7])).views.max() == 0
    assert shared.of("front", Stamp(39, 0), np.array([7])).views.max() == 10
    shared.put("front", Stamp(40, 0), np.zeros(0, np.int64), Look.unknown(0))
