# SPDX-License-Identifier: Apache-2.0
"""Rotations in four forms: rotation vectors, matrices, quaternions (x, y, z, w) and the 6D form of networks.

All functions take any number of leading dimensions, keep the floating type of their input, and are exact to rounding
near the identity and near half turns. Matrices act on column vectors. Rotation vectors are in radians.
"""

from __future__ import annotations

import numpy as np

from hmr_ros.core.arrays import Floats

_NEXT, _LAST = np.array([1, 2, 0]), np.array([2, 0, 1])
"""The axes after and before each of x, y and z."""


_TINY = np.float32(1e-20)
"""In place of the angle 0."""


def skew(v: Floats) -> Floats:
    """(..., 3) -> (..., 3, 3): the matrix of the cross product, ``skew(a) @ b == cross(a, b)``."""
    x, y, z = v[..., 0], v[..., 1], v[..., 2]
    out = np.zeros((*v.shape, 3), v.dtype)
    out[..., 0, 1], out[..., 0, 2], out[..., 1, 2] = -z, y, -x
    out[..., 1, 0], out[..., 2, 0], out[..., 2, 1] = z, -y, x
    return out


def cross(a: Floats, b: Floats) -> Floats:
    """(..., 3), (..., 3) -> (..., 3): the cross product, in a quarter of numpy's time for few vectors."""
    return np.asarray(a[..., _NEXT] * b[..., _LAST] - a[..., _LAST] * b[..., _NEXT])


def rotvec_to_rotmat(rotvec: Floats) -> Floats:
    """(..., 3) -> (..., 3, 3), Rodrigues' formula."""
    angle = np.sqrt((rotvec * rotvec).sum(-1))[..., None, None]
    # sin(a)/a and (1 - cos a)/a^2 = sinc(a/2)^2 / 2 stay exact at 0.
    sine, cosine = _sinc(angle / np.pi), _sinc(angle / (2 * np.pi)) ** 2 / 2
    K = skew(rotvec)
    out: Floats = sine * K + cosine * (K @ K) + np.eye(3, dtype=rotvec.dtype)
    return out


def _sinc(x: Floats) -> Floats:
    """sin(pi x) / (pi x), bit by bit np.sinc, in half its time for few numbers."""
    y = np.pi * np.where(x == 0, _TINY, x)
    return np.asarray(np.sin(y) / y)


def rotmat_to_rotvec(rotmat: Floats) -> Floats:
    """(..., 3, 3) -> (..., 3), angle in [0, pi]."""
    return quat_to_rotvec(rotmat_to_quat(rotmat))


def quat_to_rotvec(quat: Floats) -> Floats:
    """(..., 4) xyzw, unit -> (..., 3), angle in [0, pi]."""
    quat = np.where(quat[..., 3:] < 0, -quat, quat)
    xyz, w = quat[..., :3], quat[..., 3:]
    sine = np.sqrt((xyz * xyz).sum(-1, keepdims=True))
    half = np.arctan2(sine, w)
    # Near the identity angle / sin(angle / 2) -> 2, and the quotient is 0 / 0 at it.
    factor = np.where(sine > 0, 2 * half / np.where(sine > 0, sine, 1), 2)
    return (factor * xyz).astype(quat.dtype, copy=False)


def rotvec_to_quat(rotvec: Floats) -> Floats:
    """(..., 3) -> (..., 4) xyzw, unit."""
    angle = np.sqrt((rotvec * rotvec).sum(-1, keepdims=True))
    xyz = rotvec * np.sinc(angle / (2 * np.pi)) / 2
    return np.concatenate([xyz, np.cos(angle / 2)], -1).astype(rotvec.dtype, copy=False)


def rotmat_to_quat(rotmat: Floats) -> Floats:
    """(..., 3, 3) -> (..., 4) xyzw, unit, w >= 0.

    Of the four rows of 4 q q^T the one with the largest diagonal is divided by its norm, so that no small number is
    ever divided by (Shepperd, 1978): exact for half turns, where w = 0.
    """
    m = rotmat.reshape(*rotmat.shape[:-2], 9)
    outer = (m @ _OUTER.astype(m.dtype)).reshape(-1, 4, 4)
    m00, m11, m22 = rotmat[..., 0, 0].ravel(), rotmat[..., 1, 1].ravel(), rotmat[..., 2, 2].ravel()
    outer[:, 0, 0], outer[:, 1, 1] = 1 + m00 - m11 - m22, 1 - m00 + m11 - m22
    outer[:, 2, 2], outer[:, 3, 3] = 1 - m00 - m11 + m22, 1 + m00 + m11 + m22
    largest = outer[:, _DIAGONAL, _DIAGONAL].argmax(-1)
    quat = outer[np.arange(len(outer)), largest].reshape(*rotmat.shape[:-2], 4)
    quat = quat / np.sqrt((quat * quat).sum(-1, keepdims=True))
    return np.asarray(np.where(quat[..., 3:] < 0, -quat, quat))


def _off_diagonal(m: Floats) -> Floats:
    """Rotation matrices (..., 3, 3) of quaternions q -> (..., 16), 4 q q^T row by row, with a diagonal of 0."""
    xy, xz, yz = m[..., 0, 1] + m[..., 1, 0], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 2] + m[..., 2, 1]
    xw, yw, zw = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    o = np.zeros_like(xy)
    return np.stack([o, xy, xz, xw, xy, o, yz, yw, xz, yz, o, zw, xw, yw, zw, o], -1)


_OUTER, _DIAGONAL = _off_diagonal(np.eye(9).reshape(9, 3, 3)), np.arange(4)
"""(9, 16) ``_off_diagonal`` as a matrix: one product with it takes less time than a dozen sums."""


def quat_to_rotmat(quat: Floats) -> Floats:
    """(..., 4) xyzw, unit -> (..., 3, 3)."""
    K = skew(quat[..., :3])
    out: Floats = np.eye(3, dtype=quat.dtype) + 2 * (quat[..., 3, None, None] * K + K @ K)
    return out


def rot6d_to_rotmat(rot6d: Floats) -> Floats:
    """(..., 6) -> (..., 3, 3) by Gram-Schmidt (Zhou et al., CVPR 2019).

    The layout is that of SPIN and its heirs: reshaped to (3, 2), its columns are the first two columns of the matrix
    before orthogonalisation, so the numbers are interleaved.
    """
    columns = rot6d.reshape(*rot6d.shape[:-1], 3, 2)
    first = _unit(columns[..., 0])
    second = _unit(columns[..., 1] - (first * columns[..., 1]).sum(-1, keepdims=True) * first)
    return np.stack([first, second, cross(first, second)], -1)


def rotmat_to_rot6d(rotmat: Floats) -> Floats:
    """(..., 3, 3) -> (..., 6): the first two columns, interleaved as ``rot6d_to_rotmat`` reads them."""
    return rotmat[..., :2].reshape(*rotmat.shape[:-2], 6)


def project_to_rotmat(matrix: Floats) -> Floats:
    """(..., 3, 3) any matrix -> the nearest rotation in the Frobenius norm, with determinant +1 (Kabsch, 1976)."""
    u, _, vt = np.linalg.svd(matrix)
    flip = np.sign(np.linalg.det(u @ vt))  # of an orthogonal matrix: never 0
    u[..., 2] *= flip[..., None]
    out: Floats = u @ vt
    return out


def rotation_between(a: Floats, b: Floats) -> Floats:
    """(..., 3), (..., 3) -> (..., 3, 3): the smallest rotation that takes direction ``a`` to direction ``b``.

    Vectors need not be unit; for opposite ones any of the half turns that do it.
    """
    a, b = np.broadcast_arrays(_unit(a), _unit(b))
    # The quaternion (a x b, 1 + a.b) halves the angle; written with the half-way vector it keeps its digits near pi.
    half = a + b
    length = np.sqrt((half * half).sum(-1, keepdims=True))
    opposite = length < 1e-7
    if opposite.any():
        half, length = np.where(opposite, _perpendicular(a), half), np.where(opposite, 1, length)
    half = half / length
    quat = np.concatenate([cross(a, half), (a * half).sum(-1, keepdims=True)], -1)
    return quat_to_rotmat(_unit(quat))


def _unit(v: Floats) -> Floats:
    """(..., D) -> (..., D) of norm 1; zero vectors stay zero."""
    norm = np.sqrt((v * v).sum(-1, keepdims=True))
    return v / np.where(norm > 0, norm, 1)


def _perpendicular(v: Floats) -> Floats:
    """Some unit vector at right angles to each ``v`` (..., 3)."""
    axis = np.eye(3, dtype=v.dtype)[np.abs(v).argmin(-1)]
    return _unit(cross(v, axis))
