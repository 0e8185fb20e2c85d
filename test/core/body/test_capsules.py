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


def test_a_capsule_by_hand_and_its_padding():
    """From (1, 0, 0) to (1, 0, 2) with a radius of 0.5, and a second one far away."""
    two = Capsules(np.array([[[1.0, 0, 0], [9, 9, 9]]]), np.array([[[1.0, 0, 2], [9, 9, 9]]]), np.full((1, 2), 0.5))
    points = np.array([[[1.0, 0, 1], [1, 2, 1], [1, 3, 6], [1, 0, -1], [9, 9, 8]]])
    np.testing.assert_allclose(two.distances(points), [[-0.5, 1.5, 4.5, 0.5, 0.5]])
    np.testing.assert_allclose(two.padded(0.25).distances(points), [[-0.75, 1.25, 4.25, 0.25, 0.25]])
    np.testing.assert_allclose(two.axes().centers, [[[1, 0, 1], [9, 9, 9]]])
    np.testing.assert_allclose(two.axes().lengths, [[2, 0]])


def test_radii_grow_with_the_shape_and_stay_positive():
    rig = CapsuleRig(np.eye(2, 3), np.eye(2, 3)[::-1], np.array([0.1, 0.2]), np.array([[0.01] * 10, [-1.0] + [0] * 9]))
    vertices = np.array([[[1.0, 2, 3], [4, 5, 6], [7, 8, 9]]])
    posed = rig.posed(vertices, np.array([[1.0, 2, *[0] * 8]]))
    np.testing.assert_array_equal(posed.starts, vertices[:, :2])
    np.testing.assert_array_equal(posed.ends, vertices[:, 1::-1])
    np.testing.assert_allclose(posed.radii, [[0.13, 0]], atol=1e-5)
    assert (posed.radii > 0).all()


@pytest.mark.parametrize("name", ["starts", "ends"])
def test_capsules_of_other_numbers_are_refused(name):
    arrays = {"starts": np.zeros((1, 2, 3)), "ends": np.zeros((1, 2, 3)), "radii": np.zeros((1, 2))}
    for wrong in ((2, 2, 3), (1, 2, 2), (1, 3, 3)):
        with pytest.raises(ValueError, match=f"Capsules.{name}: expected shape"):
            Capsules(**arrays | {name: np.zeros(wrong)})
    for field, shape in (("end_weights", (2, 4)), ("radii", (1,)), ("radius_directions", (2, 9))):
        rig = {"start_weights": np.zeros((2, 5)), "end_weights": np.zeros((2, 5)), "radii": np.zeros(2)}
        rig |= {"radius_directions": np.zeros((2, 10)), field: np.zeros(shape)}
        with pytest.raises(ValueError, match=f"CapsuleRig.{field}: expected shape"):
            CapsuleRig(**rig)
