# SPDX-License-Identifier: Apache-2.0
"""What is fitted to the distances of fused joints."""

import dataclasses

import numpy as np
import pytest

from hmr_ros.core.manifest import load_manifest, models_dir
from hmr_ros.evaluation.sequences.calibration import FusedDistances, _after_the_first

OWN = load_manifest(models_dir() / "pose2mesh.json").uncertainty


def distances(rng, power: float, seen) -> FusedDistances:
    """Normal errors in three directions whose deviations grow with the fraction ``seen`` (N,), unlike what is said."""
    lengths = np.linalg.norm(rng.normal(size=(len(seen), 23, 3)), axis=-1)
    return FusedDistances(lengths * seen[:, None] ** power, np.zeros(len(seen), np.int64), seen)


def test_the_power_of_the_fraction_seen_is_found_and_regions_hold_with_few_keypoints_as_with_all(rng):
    found = distances(rng, 0.4, rng.uniform(0.3, 1.0, 4000))
    fitted = found.fitted(OWN)
    assert fitted.seen_power == pytest.approx(0.4, abs=0.02)
    assert fitted.joint_radii == pytest.approx((1.54, 2.50, 2.80), abs=0.03)
    assert dataclasses.replace(fitted, seen_power=0.0, joint_radii=OWN.joint_radii) == OWN
    for some in (found.seen < 0.5, found.seen > 0.9):
        assert found.take(some).coverage(fitted) == pytest.approx((50, 90, 95), abs=1.5)
        plain = dataclasses.replace(fitted, seen_power=0.0)
        assert found.take(some).coverage(plain) != pytest.approx((50, 90, 95), abs=1.5)


def test_where_all_see_as_many_keypoints_they_say_nothing(rng):
    assert distances(rng, 0.4, np.full(50, 0.7)).fitted(OWN).seen_power == 0


def test_the_first_image_of_a_person_is_not_fused():
    known = np.array([[False, True, True, False, True], [True, True, False, False, False]])
    np.testing.assert_array_equal(_after_the_first(known), [[0, 0, 1, 0, 1], [0, 1, 0, 0, 0]])
