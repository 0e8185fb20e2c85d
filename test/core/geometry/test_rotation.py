# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.transform import Rotation

from hmr_ros.core.geometry import rotation as rot

RNG = np.random.default_rng(0)
TINY = [0.0, 1e-300, 1e-160, 1e-12, 1e-8, 1e-4]
ANGLES = np.array([*TINY, 0.1, 1.0, 3.0, np.pi - 1e-4, np.pi - 1e-8, np.pi - 1e-12, np.pi])


def directions(*shape: int) -> np.ndarray:
    v = RNG.normal(size=(*shape, 3))
    return v / np.linalg.norm(v, axis=-1, keepdims=True)


def rotvecs() -> np.ndarray:
    """(13, 23, 3) of all sizes, with axes that have zero and negative parts."""
    special = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [-1, 0, 0], [0, -0.6, 0.8], [0.6, -0.8, 0], [-0.6, 0, -0.8]])
    return ANGLES[:, None, None] * np.concatenate([special, directions(16)])


def test_rotvec_to_rotmat_agrees_with_scipy():
    v = rotvecs()
    assert_allclose(
        rot.rotvec_to_rotmat(v).reshape(-1, 3, 3), Rotation.from_rotvec(v.reshape(-1, 3)).as_matrix(), atol=1e-15
    )


def test_rotvec_survives_the_matrix_near_zero_and_pi():
    v = rotvecs()
    back = rot.rotmat_to_rotvec(rot.rotvec_to_rotmat(v))
    half_turn = np.linalg.norm(v, axis=-1, keepdims=True) > np.pi - 1e-9  # its two axes are the same rotation
    back = np.where(half_turn & ((back * v).sum(-1, keepdims=True) < 0), -back, back)
    assert_allclose(back, v, atol=1e-11)
    small = np.abs(v) < 1e-3
    assert_allclose(back[small], v[small], rtol=1e-9, atol=1e-200)


def test_float32_rotvec_survives_the_matrix():
    v = rotvecs().astype(np.float32)
    R = rot.rotvec_to_rotmat(v)
    assert R.dtype == rot.rotmat_to_rotvec(R).dtype == np.float32
    assert_allclose(rot.rotvec_to_rotmat(rot.rotmat_to_rotvec(R)), R, atol=1e-6)


def test_quaternions_agree_with_scipy_and_each_other():
    R = Rotation.random(100, random_state=1)
    assert_allclose(rot.rotmat_to_quat(R.as_matrix()), R.as_quat(canonical=True), atol=1e-15)
    assert_allclose(rot.quat_to_rotmat(R.as_quat()), R.as_matrix(), atol=1e-15)
    v = rotvecs()
    assert_allclose(rot.quat_to_rotmat(rot.rotvec_to_quat(v)), rot.rotvec_to_rotmat(v), atol=1e-15)
    assert_allclose(rot.quat_to_rotvec(-R.as_quat()), R.as_rotvec(), atol=1e-14)


def test_half_turns_have_exact_quaternions():
    for axis in np.eye(3):
        assert_allclose(np.abs(rot.rotmat_to_quat(2 * np.outer(axis, axis) - np.eye(3))), [*axis, 0], atol=0)


def test_6d_layout_is_interleaved_and_inverts():
    R = Rotation.random(50, random_state=2).as_matrix().reshape(5, 10, 3, 3)
    six = rot.rotmat_to_rot6d(R)
    assert_allclose(six[..., [0, 2, 4]], R[..., 0], atol=0)
    assert_allclose(rot.rot6d_to_rotmat(six), R, atol=1e-15)
    half_turn_about_x = np.array([1.0, 0, 0, -1, 0, 0])  # the mean root of SPIN's smpl_mean_params
    assert_allclose(rot.rot6d_to_rotmat(half_turn_about_x), np.diag([1.0, -1, -1]), atol=0)


def test_6d_of_any_numbers_is_a_rotation():
    R = rot.rot6d_to_rotmat(RNG.normal(size=(7, 6)))
    assert_allclose(R @ R.swapaxes(-1, -2), np.broadcast_to(np.eye(3), R.shape), atol=1e-14)
    assert_allclose(np.linalg.det(R), 1, atol=1e-14)


@pytest.mark.parametrize("matrix", [np.zeros((3, 3)), -np.eye(3), np.diag([1.0, 1, 0]), np.diag([2.0, 2, -1e-9])])
def test_projection_of_degenerate_matrices_is_a_rotation(matrix: np.ndarray):
    R = rot.project_to_rotmat(matrix)
    assert_allclose(R @ R.T, np.eye(3), atol=1e-14)
    assert np.linalg.det(R) == pytest.approx(1)


def test_projection_is_the_nearest_rotation_and_keeps_rotations():
    R = Rotation.random(20, random_state=3).as_matrix()
    assert_allclose(rot.project_to_rotmat(R), R, atol=1e-14)
    matrix = R + 0.3 * RNG.normal(size=R.shape)
    nearest = np.linalg.norm(rot.project_to_rotmat(matrix) - matrix, axis=(1, 2))
    for other in Rotation.random(50, random_state=4).as_matrix():
        nudged = rot.project_to_rotmat(matrix) @ rot.rotvec_to_rotmat(0.1 * rot.rotmat_to_rotvec(other))
        assert (np.linalg.norm(nudged - matrix, axis=(1, 2)) >= nearest).all()


def test_rotation_between_turns_a_into_b_by_the_least_angle():
    a, b = directions(200), directions(200)
    b[:20] = a[:20]
    b[20:40] = -a[20:40]
    b[40:60] = -a[40:60] + 1e-9 * b[40:60]
    R = rot.rotation_between(3 * a, 0.5 * b)
    turned = (R @ a[..., None])[..., 0]
    assert_allclose(turned, b / np.linalg.norm(b, axis=-1, keepdims=True), atol=1e-8)
    angle = np.arctan2(np.linalg.norm(np.cross(a, b), axis=-1), (a * b).sum(-1))
    assert_allclose(np.linalg.norm(rot.rotmat_to_rotvec(R), axis=-1), angle, atol=1e-7)
    assert_allclose(R @ R.swapaxes(-1, -2), np.broadcast_to(np.eye(3), R.shape), atol=1e-14)


def test_no_people_are_a_normal_value():
    nobody = np.zeros((0, 24, 3))
    assert rot.rotmat_to_rotvec(rot.rotvec_to_rotmat(nobody)).shape == nobody.shape
    assert rot.project_to_rotmat(np.zeros((0, 24, 3, 3))).shape == (0, 24, 3, 3)
    assert rot.rot6d_to_rotmat(np.zeros((0, 6))).shape == (0, 3, 3)
    assert rot.rotation_between(np.zeros((0, 3)), np.zeros((0, 3))).shape == (0, 3, 3)


@pytest.mark.parametrize(
    ("function", "shapes"),
    [
        (rot.skew, [(3,)]),
        (rot.rotvec_to_rotmat, [(3,)]),
        (rot.rotvec_to_quat, [(3,)]),
        (rot.quat_to_rotvec, [(4,)]),
        (rot.quat_to_rotmat, [(4,)]),
        (rot.rotmat_to_quat, [(3, 3)]),
        (rot.rotmat_to_rotvec, [(3, 3)]),
        (rot.rotmat_to_rot6d, [(3, 3)]),
        (rot.rot6d_to_rotmat, [(6,)]),
        (rot.project_to_rotmat, [(3, 3)]),
        (rot.rotation_between, [(3,), (3,)]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_leading_dimensions_and_types_are_kept(function, shapes, dtype):
    """Every function gives for many what it gives for each."""
    many = [RNG.normal(size=(2, 4, 1, *shape)) for shape in shapes]
    if shapes == [(3, 3)]:
        many = [rot.rotvec_to_rotmat(RNG.normal(size=(2, 4, 1, 3)))]
    if shapes == [(4,)]:
        many = [rot.rotvec_to_quat(RNG.normal(size=(2, 4, 1, 3)))]
    many = [argument.astype(dtype) for argument in many]
    found = function(*many)
    assert found.dtype == dtype
    for at in np.ndindex(2, 4, 1):
        assert_allclose(function(*(argument[at] for argument in many)), found[at], atol=1e-5)
    assert function(*(argument[:0] for argument in many)).shape == (0, *found.shape[1:])


def test_skew_is_the_cross_product():
    a, b = RNG.normal(size=(2, 3))
    assert_allclose(rot.skew(a) @ b, np.cross(a, b))


@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 3)])
def test_the_cross_product_is_numpys(shape):
    a, b = RNG.normal(size=(*shape, 3)), RNG.normal(size=3)
    assert_array_equal(rot.cross(a, b), np.cross(a, b))
