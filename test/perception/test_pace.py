# SPDX-License-Identifier: Apache-2.0
import pytest

from hmr_ros.core.temporal.shedding import Shed
from hmr_ros.perception.pace import SearchPace


@pytest.mark.parametrize(("shed", "apart"), [(Shed.NOTHING, 3), (Shed.VIEWS, 3), (Shed.SEARCHES, 12)])
def test_the_first_image_is_searched_then_every_so_often(shed: Shed, apart: int):
    pace = SearchPace()
    searched = [n for n in range(25) if pace.is_due(False, 3, shed)]
    assert searched == list(range(0, 25, apart))


def test_an_urgent_search_begins_a_new_period():
    pace = SearchPace()
    assert [n for n in range(9) if pace.is_due(n == 4, 3, Shed.NOTHING)] == [0, 3, 4, 7]
