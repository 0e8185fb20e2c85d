import numpy as np
import pytest

from hmr_ros.core.decimation import spread


def test_points_are_spread_over_the_body(body):
    few = spread(body.v_template, 500)
    assert len(set(few.tolist())) == 500
    gaps = np.linalg.norm(body.v_template[:, None] - body.v_template[few][None], axis=-1).min(1)
    assert gaps.max() < 0.06


def test_every_point_may_be_taken():
    points = np.arange(12.0).reshape(4, 3)
    assert sorted(spread(points, 4).tolist()) == [0, 1, 2, 3]


@pytest.mark.parametrize("count", [0, 5])
def test_counts_beyond_the_points_are_refused(count):
    with pytest.raises(ValueError, match=f"expected 1 to 4 points, got {count}"):
        spread(np.zeros((4, 3)), count)
