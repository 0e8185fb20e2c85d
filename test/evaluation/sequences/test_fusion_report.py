# SPDX-License-Identifier: Apache-2.0
"""The calibration of a fusion: both halves of the takes count by their images."""

import numpy as np
import pytest

from hmr_ros.evaluation.sequences.fusion_report import AheadRow, _check_halves, _joined_levels, _joined_rows


def row(group, images, percent) -> AheadRow:
    return AheadRow(group, 0.5, images, (percent, 90.0, 95.0), (2 * percent, 90.0, 95.0))


def test_halves_are_joined_by_group_and_weigh_by_their_images():
    found = _joined_rows([[row("all", 30, 40.0), row("walking", 10, 50.0)], [row("all", 10, 20.0)]])
    assert [(r.group, r.images) for r in found] == [("all", 40), ("walking", 10)]
    assert found[0].joints == (35.0, 90.0, 95.0)
    assert found[0].root[0] == 70.0
    assert found[1] == row("walking", 10, 50.0)


def test_an_empty_half_does_not_count():
    assert _joined_levels([(0, (0.0, 0.0, 0.0)), (4, (51.0, 89.0, 96.0))]) == (51.0, 89.0, 96.0)


@pytest.mark.parametrize("of_first", [[True, True], [False, False], []])
def test_people_of_one_half_are_refused(of_first):
    with pytest.raises(ValueError, match=r"two takes of a subject or more.*more takes, or more --samples"):
        _check_halves(np.array(of_first, np.bool_))
    _check_halves(np.array([True, False]))
