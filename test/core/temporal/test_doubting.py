# SPDX-License-Identifier: Apache-2.0
"""Bodies that contradict what is known of their tracks."""

import dataclasses

import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.body.growth import Growth
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.people import Estimates
from hmr_ros.core.temporal.smoothing import BodySmoother

BODY = load_body_model(models_dir() / "open_body.npz")
GROWTH = Growth.of(BODY)
IDS = np.ones(1, np.int64)
STANDING = dataclasses.replace(
    Estimates.unknown(1),
    global_orient=np.array([[np.pi, 0, 0]]),
    body_pose=np.zeros((1, 23, 3)),
    betas=np.zeros((1, 10)),
    cam_t=np.array([[0.4, 0.2, 5.0]]),
    joint_error=np.full((1, 24), 0.05),
    valid=np.ones(1, np.bool_),
)


def grown(factor: float, cam_t: tuple[float, float, float] = (0.4, 0.2, 5.0)) -> Estimates:
    """The same person of another size."""
    return dataclasses.replace(
        STANDING, betas=GROWTH.grown(STANDING.betas, np.array([factor])), cam_t=np.array([cam_t])
    )


def known(images: int = 10) -> BodySmoother:
    """A smoother that has seen the person at 10 Hz until 0 s."""
    smoother = BodySmoother(BODY)
    for k in range(1 - images, 1):
        smoother(IDS, STANDING, k / 10)
    return smoother


def doubted(
    smoother: BodySmoother, now: Estimates, *, covered: bool, stamp_s: float = 0.1, growth: float = np.nan
) -> float:
    return float(smoother.doubted(IDS, now, np.array([growth]), np.array([covered]), stamp_s)[0])


def test_a_giant_is_doubted_whether_someone_covers_it_or_not():
    for covered in (True, False):
        assert doubted(known(), grown(1.4), covered=covered) == pytest.approx(0.1)


def test_a_guess_of_the_size_alone_is_no_contradiction():
    """As large as before in the image: the network only takes the person for larger, and for farther away."""
    assert doubted(known(), grown(1.4, (0.56, 0.28, 7.0)), covered=True) == 0


@pytest.mark.parametrize("covered", [True, False])
@pytest.mark.parametrize("moved", [(0.4, 0.0, 0.0), (0.08, 0.04, 1.0), (-0.08, -0.04, -1.0)])
def test_a_leap_is_doubted_where_someone_covers_the_person(moved, covered: bool):
    there = tuple(np.array([0.4, 0.2, 5.0]) + moved)
    assert (doubted(known(), grown(1.0, there), covered=covered) > 0) == covered


def test_a_step_is_no_leap():
    assert doubted(known(), grown(1.02, (0.5, 0.25, 5.3)), covered=True) == 0


def test_the_size_that_the_ground_knows_counts_before_that_of_looks():
    """At 5 m a body of the known size is where it was, and one that is larger by a sixth is nearer."""
    assert doubted(known(), STANDING, covered=True, growth=1.0) == 0
    assert doubted(known(), STANDING, covered=True, growth=1.17) == pytest.approx(0.1)


def test_who_was_doubted_counts_as_covered_until_the_body_agrees():
    """Of two whose skeletons mix, the other one is not found, and covers nobody any more."""
    smoother, near = known(), grown(1.2)
    assert doubted(smoother, near, covered=False) == 0
    assert doubted(smoother, near, covered=True) > 0
    assert doubted(smoother, near, covered=False, stamp_s=0.2) > 0
    assert doubted(smoother, STANDING, covered=False, stamp_s=0.3) == 0
    assert doubted(smoother, near, covered=False, stamp_s=0.4) == 0


def test_a_reset_forgets_who_was_doubted():
    smoother = known()
    doubted(smoother, grown(1.2), covered=True)
    smoother.reset()
    for k in range(1, 11):
        smoother(IDS, STANDING, k / 10)
    assert doubted(smoother, grown(1.2), covered=False, stamp_s=1.1) == 0


@pytest.mark.parametrize(("images", "stamp_s"), [(3, 0.1), (10, 2.2), (10, 0.0)])
def test_who_is_new_or_has_been_doubted_for_long_is_believed(images: int, stamp_s: float):
    assert doubted(known(images), grown(1.4), covered=True, stamp_s=stamp_s) == 0


def test_strangers_people_without_a_body_and_no_people_are_believed():
    smoother = known()
    unknown, covered = np.full(1, np.nan), np.ones(1, np.bool_)
    assert smoother.doubted(IDS + 1, grown(1.4), unknown, covered, 0.1)[0] == 0
    assert smoother.doubted(IDS, Estimates.unknown(1), unknown, covered, 0.1)[0] == 0
    assert len(smoother.doubted(IDS[:0], Estimates.unknown(0), unknown[:0], covered[:0], 0.1)) == 0
