# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hmr_ros.core.body.capsules import PADDING_M, CapsuleRig, Capsules
from hmr_ros.core.geometry.rotation import quat_to_rotmat, rotvec_to_rotmat
from test.core.conftest import random_parameters

PEOPLE = 60


def posed(body, people=PEOPLE, seed=0, bend=0.35):
    p = random_parameters(people, seed, bend)
    vertices = body.posed(p.global_orient, p.body_pose, p.betas, p.cam_t).vertices
    return vertices, body.capsules.posed(vertices, p.betas)


def rows(capsules, k):
    return Capsules(capsules.starts[k : k + 1], capsules.ends[k : k + 1], capsules.radii[k : k + 1])


def capsule_distance(point, start, end, radius):
    """The definition: the distance to the nearest of many points of the segment."""
    on_axis = start + np.linspace(0, 1, 2001)[:, None] * (end - start)
    return np.linalg.norm(on_axis - point, axis=1).min() - radius


def test_distances_are_those_of_the_definition(rng):
    capsules = Capsules(rng.normal(size=(2, 3, 3)), rng.normal(size=(2, 3, 3)), rng.uniform(0.05, 0.5, (2, 3)))
    points = rng.normal(size=(2, 20, 3))
    for k in range(2):
        expected = [
            min(capsule_distance(p, capsules.starts[k, c], capsules.ends[k, c], capsules.radii[k, c]) for c in range(3))
            for p in points[k]
        ]
        assert np.allclose(capsules.distances(points)[k], expected, atol=1e-3)


def test_a_capsule_without_length_is_a_ball():
    ball = Capsules(np.zeros((1, 1, 3)), np.zeros((1, 1, 3)), np.full((1, 1), 0.5))
    assert ball.distances(np.array([[[2.0, 0, 0]]])) == pytest.approx(1.5)
    axes = ball.axes()
    assert axes.lengths == 0
    assert np.allclose(axes.rotations, [[[0, 0, 0, 1]]])


@pytest.mark.parametrize("bend", [0.0, 0.35, 0.5])
def test_the_body_is_inside(body, bend):
    """The coverage that docs/planning.md states; ``hmr bench capsules`` measures it on thousands."""
    vertices, capsules = posed(body, bend=bend)
    padded = capsules.padded(PADDING_M)
    fractions = [(rows(padded, k).distances(vertices[k : k + 1]) <= 0).mean() for k in range(PEOPLE)]
    assert np.mean(fractions) > 0.995
    assert np.min(fractions) > 0.985


def test_axes_turn_z_along_the_capsule(body):
    _, capsules = posed(body)
    axes = capsules.axes()
    z = quat_to_rotmat(axes.rotations)[..., 2]
    tips = axes.centers + z * axes.lengths[..., None] / 2
    ends = np.stack([capsules.starts, capsules.ends])
    assert np.allclose(np.linalg.norm(tips - ends, axis=-1).min(0), 0, atol=1e-5)
    assert np.allclose(np.linalg.norm(axes.rotations, axis=-1), 1, atol=1e-6)


def test_axes_are_defined_for_every_direction():
    directions = np.array([[[0, 0, 1.0], [0, 0, -1], [1, 0, 0], [0, -1, 0], [1e-9, 0, -1]]])
    capsules = Capsules(np.zeros_like(directions), directions, np.ones((1, 5)))
    z = quat_to_rotmat(capsules.axes().rotations)[..., 2]
    assert np.allclose(np.abs((z * directions).sum(-1)), 1)


def test_capsules_move_as_the_body_does(body):
    vertices, capsules = posed(body, people=2)
    turn = rotvec_to_rotmat(np.array([0.3, -1.2, 2.0]))

    def move(points):
        return points @ turn.T + [1.0, 2.0, 3.0]

    moved = capsules.moved(move)
    again = body.capsules.posed(move(vertices), random_parameters(2).betas)
    assert np.allclose(moved.starts, again.starts, atol=1e-5)
    assert np.allclose(moved.ends, again.ends, atol=1e-5)


def test_no_people_have_no_capsules(body):
    capsules = body.capsules.posed(np.zeros((0, body.vertex_count, 3)), np.zeros((0, 10)))
    assert len(capsules) == 0
    assert capsules.axes().centers.shape == (0, len(body.capsules), 3)
    assert capsules.distances(np.zeros((0, 5, 3))).shape == (0, 5)


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match=r"Capsules.ends: expected shape \(1, 2, 3\), got \(1, 3, 3\)"):
        Capsules(np.zeros((1, 2, 3)), np.zeros((1, 3, 3)), np.zeros((1, 2)))
    with pytest.raises(ValueError, match=r"CapsuleRig.radii: expected shape \(2,\), got \(3,\)"):
        CapsuleRig(np.zeros((2, 5)), np.zeros((2, 5)), np.zeros(3), np.zeros((2, 10)))
