# SPDX-License-Identifier: Apache-2.0
"""Where garments lie on a body, what they are made of and how patterned: compiled functions of rest coordinates.

A place on the body is its point (x, y, z) in the template's T-pose (m; y up, facing +z, left = +x; the floor is at
-1.0, the chin at 0.5, the wrists at |x| = 0.68) and the joint it hangs on. So a sleeve ends at some |x|, a hem at some
y, whatever the pose and shape of the wearer. The same function serves vertices (which it pushes out) and pixels (which
it paints): seams are as sharp as the pixels.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hmr_ros.core.arrays import Float32s, Int32s
from hmr_ros.core.skeleton import SMPL


class Stuff(IntEnum):
    """What covers a place on the body."""

    SKIN = 0
    HAIR = 1
    HAT = 2
    INNER = 3
    OUTER = 4
    BOTTOM = 5
    SHOES = 6
    SOCKS = 7
    GLOVES = 8
    LIPS = 9
    EYES = 10
    BROWS = 11
    MASK = 12


class Pattern(IntEnum):
    """How a fabric's two colours are laid out."""

    PLAIN = 0
    HOOPS = 1
    PINSTRIPES = 2
    CHECKS = 3
    DOTS = 4
    PRINT = 5
    BLOTCHES = 6
    REFLECTORS = 7
    SLEEVES = 8
    MELANGE = 9


CUT = np.dtype(
    [
        (name, np.float32)
        for name in (
            "inner_sleeve inner_hem outer_sleeve outer_hem outer_front outer_neck neck neck_width neck_depth waist leg "
            "shoe sock glove hat hat_tilt fringe hair_length hair_width beard brow mask glasses "
            "drape drape_top drape_hem drape_flare"
        ).split()
    ]
)
"""Where the garments of one person end, m of rest coordinates:

``*_sleeve`` |x|; ``*_hem`` and ``leg`` y of lower ends; ``outer_front`` half width of an open jacket's gap;
``outer_neck`` y of its neckline; ``neck``, ``neck_width``, ``neck_depth`` y, half width and depth of the inner top's
neckline; ``waist`` y of the trousers' upper end; ``shoe`` and ``sock`` y of upper ends; ``glove`` |x|; ``hat`` y of its
lower edge at the ears and ``hat_tilt`` its slope; ``fringe`` y of the hair line; ``hair_length`` y down to which hair
hangs, ``hair_width`` |x|; ``beard`` y below which it grows; ``mask`` y of a mask's upper end. ``glasses`` 0 or 1.
``drape`` the Stuff of cloth that hangs around both legs (``drapes.py``) from y ``drape_top`` to ``drape_hem`` (none
where that is higher), ``drape_flare`` m wider there.
"""

MATERIAL = np.dtype(
    [("colour", np.float32, (3,)), ("second", np.float32, (3,)), ("pattern", np.int32)]
    + [(name, np.float32) for name in "frequency phase fraction gloss thickness folds".split()]
)
"""``colour`` and ``second`` linear RGB 0..1; ``pattern`` a Pattern of spatial ``frequency`` rad/m, ``phase`` rad and a
``fraction`` 0..1 of the second colour; ``gloss`` 0..1; ``thickness`` m outside of the skin, which varies by
``folds`` 0..1 of itself.
"""

_SKIN, _HAIR, _HAT, _INNER, _OUTER, _BOTTOM, _SHOES, _SOCKS, _GLOVES, _LIPS, _EYES, _BROWS, _MASK = map(int, Stuff)
_PLAIN, _HOOPS, _PINSTRIPES, _CHECKS, _DOTS, _PRINT, _BLOTCHES, _REFLECTORS, _SLEEVES, _MELANGE = map(int, Pattern)
_HEAD, _NECK, _WRIST = SMPL.index("head"), SMPL.index("neck"), SMPL.index("left_wrist")

DRAPE = SMPL.size
"""The joint, so to speak, on which cloth hangs that follows both legs."""

_EAR_Z, _NOSE_Y, _EYE_X, _EYE_Y, _MOUTH_Y = 0.02, 0.552, 0.030, 0.596, 0.512
_FOLDS = np.float32(38)
"""Spatial frequency of folds, rad/m."""
_ARM_X = 0.2
"""Beyond this |x| garments run along the arms."""


@njit(cache=True, nogil=True)
def stuff_at(cut: np.record, joint: int, x: float, y: float, z: float) -> int:
    """What covers the place (``x``, ``y``, ``z``) that hangs on ``joint`` (index in SMPL), a Stuff."""
    ax = abs(x)
    if joint == DRAPE:
        opened = cut.drape == _OUTER and z > 0 and ax < cut.outer_front
        return _BOTTOM if opened else int(cut.drape)
    if joint == _HEAD:
        return _head(cut, ax, y, z)
    if y > cut.hair_length and z < -0.01 and ax < cut.hair_width:
        return _HAIR
    if joint >= _WRIST and ax > cut.glove:
        return _GLOVES
    gap = z > 0 and ax < cut.outer_front * (1 + max(0.0, y - 0.2))
    if ax < cut.outer_sleeve and y > cut.outer_hem and y < cut.outer_neck and not gap:
        return _OUTER
    if ax < cut.inner_sleeve and y > cut.inner_hem:
        depth = cut.neck_depth if z > 0 else np.float32(0.2) * cut.neck_depth
        if y < cut.neck - depth * max(np.float32(0), 1 - ax / cut.neck_width):
            return _INNER
    if y < cut.shoe:
        return _SHOES
    if y < cut.waist and y > cut.leg and ax < 0.3:
        return _BOTTOM
    if y < cut.sock:
        return _SOCKS
    return _SKIN


@njit(cache=True, nogil=True)
def _head(cut: np.record, ax: float, y: float, z: float) -> int:
    if y > cut.hat + cut.hat_tilt * z:
        return _HAT
    if y > cut.fringe + 0.35 * max(0.0, z - _EAR_Z) - 0.5 * max(0.0, ax - 0.05):
        return _HAIR
    if z < _EAR_Z - 0.012 and y > cut.hair_length:
        return _HAIR
    if z < _EAR_Z:
        return _SKIN
    if y < cut.mask and y > 0.47 and z > 0.03:
        return _MASK
    dx, dy = ax - _EYE_X, y - _EYE_Y
    if cut.glasses > 0:
        ring = dx * dx + dy * dy
        if (ring < 0.00042 and ring > 0.00028) or (abs(dy) < 0.003 and (dx < -0.016 or dx > 0.018)):
            return _BROWS
    if dx * dx / 1.7 + dy * dy < 0.00002:
        return _EYES
    if abs(dy - 0.021) < cut.brow and abs(dx) < 0.015:
        return _BROWS
    if (ax / 0.024) ** 2 + ((y - _MOUTH_Y) / 0.008) ** 2 < 1:
        return _LIPS
    if y < cut.beard + 0.55 * max(0.0, ax - 0.03) and not (y > _MOUTH_Y + 0.012 and ax < 0.008):
        return _HAIR
    return _SKIN


@njit(cache=True, nogil=True)
def colour_at(material: np.record, x: float, y: float, z: float) -> tuple[float, float, float]:
    """Linear red, green, blue of a ``material`` at a place."""
    t = _second_fraction(material, x, y, z)
    a, b = material.colour, material.second
    return a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1]), a[2] + t * (b[2] - a[2])


@njit(cache=True, nogil=True)
def _second_fraction(material: np.record, x: float, y: float, z: float) -> np.float32:
    """Where a pattern shows its second colour: 0..1."""
    pattern, frequency, phase = material.pattern, material.frequency, material.phase
    ax = abs(x)
    if pattern == _PLAIN:
        return np.float32(0)
    along = ax if ax > _ARM_X else y
    across = y if ax > _ARM_X else x
    edge = 1 - 2 * material.fraction
    if pattern == _HOOPS:
        return np.float32(np.sin(along * frequency + phase) > edge)
    if pattern == _PINSTRIPES:
        return np.float32(np.sin(across * frequency + phase) > edge)
    if pattern == _CHECKS:
        rows, columns = np.sin(along * frequency + phase) > edge, np.sin((across + 0.3 * z) * frequency) > edge
        return np.float32(0.5) * (np.float32(rows) + np.float32(columns))
    if pattern == _DOTS:
        return np.float32(np.sin(along * frequency) * np.sin((across + z) * frequency + phase) > edge)
    if pattern == _PRINT:
        inside = z > 0 and abs(x - 0.02 * np.sin(phase)) < 0.1 * material.fraction + 0.03 and y > 0.12 and y < 0.3
        return np.float32(inside and np.sin(y * frequency + phase) + np.sin(3 * x * frequency) * np.cos(5 * y) > -0.3)
    if pattern == _BLOTCHES:
        return np.float32(_waves(x, y, z, frequency, phase) > edge)
    if pattern == _REFLECTORS:
        hoop = abs(along - 0.02) < 0.025 or abs(along - 0.2) < 0.025 or abs(along + 0.7) < 0.025
        return np.float32(hoop or (ax < _ARM_X and y > 0.2 and abs(ax - 0.1) < 0.022) or abs(ax - 0.5) < 0.025)
    if pattern == _SLEEVES:
        return np.float32(ax + 0.5 * max(0.0, y - 0.3) > 0.19)
    grain = np.float32(0.5 + 0.5 * np.sin(x * 913 + np.sin(y * 1371)) * np.sin(y * 1103 + z * 887))
    out: np.float32 = grain * material.fraction
    return out


@njit(cache=True, nogil=True)
def _waves(x: float, y: float, z: float, frequency: np.float32, phase: np.float32) -> np.float32:
    """A smooth, irregular function of the place, -1..1."""
    u = frequency * (0.8 * x + 0.6 * z) + phase
    v = frequency * (y + 0.2 * x)
    broad = 0.6 * np.sin(u + 1.7 * np.sin(0.6 * v + phase)) * np.sin(v + 1.3 * np.sin(0.7 * u))
    out: np.float32 = broad + 0.4 * np.sin(1.9 * v - 1.3 * u)
    return out


@njit(cache=True, nogil=True)
def offsets(cut: np.record, materials: NDArray[np.record], rest: Float32s, joints: Int32s) -> Float32s:
    """How far each vertex of the template ``rest`` (V, 3), hanging on ``joints`` (V,), is pushed out: (V,) m."""
    out = np.zeros(len(rest), np.float32)
    for v in range(len(rest)):
        if joints[v] == DRAPE:
            continue
        x, y, z = rest[v, 0], rest[v, 1], rest[v, 2]
        material = materials[stuff_at(cut, joints[v], x, y, z)]
        out[v] = material.thickness
        if material.folds > 0:
            out[v] *= 1 + material.folds * _waves(x, y, z, _FOLDS, material.phase)
    return out
