# SPDX-License-Identifier: Apache-2.0
"""Cloth that does not follow the skin: skirts, dresses, coats and loose shirts, hung around both legs.

A drape is a tube of RINGS rings around the posed body. Each ring belongs to a height of the T-pose and reaches around
whatever the body has at that height, both legs at once, wherever the pose has taken them; lower rings are never much
narrower than those above.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hmr_ros.core.arrays import Float32s, Int32s, Int64s
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.skeleton import SMPL
from hmr_ros.training.synthetic.images.clothing.garments import DRAPE
from hmr_ros.training.synthetic.images.clothing.shading import Template

RINGS, SPOKES = 12, 24

_LOWER_BODY = tuple(SMPL.index(j) for j in "pelvis left_hip right_hip spine1 left_knee right_knee".split())
_ANGLE = (2 * np.pi * np.arange(SPOKES) / SPOKES).astype(np.float32)
_COSINE, _SINE = np.cos(_ANGLE), np.sin(_ANGLE)
_REST_RADIUS = (0.2, 0.15)
"""Half axes in m, sideways and forwards, of a drape in the T-pose, where its pattern is laid out."""
_NARROWEST = np.float32(0.88)
"""Width of a ring, at least, as a fraction of the ring above."""
_LEAST_REACH_M = 0.03
"""Half of the height, at least, of what a ring reaches around."""


@dataclass(frozen=True)
class Fall:
    """How a drape falls: ``ease`` m of room around the legs; ``folds`` m deep, turned by ``phase`` rad."""

    ease: float
    folds: float
    phase: float

    def room(self, fraction: float, flare: float) -> Float32s:
        """(SPOKES,) m between body and cloth at a ``fraction`` 0..1 of the way down; ``flare`` m more at the hem."""
        waves = np.sin(7 * _ANGLE + self.phase) + np.sin(4 * _ANGLE - 2 * self.phase)
        return np.asarray(self.ease * (0.4 + fraction) + fraction * (flare + self.folds * waves), np.float32)


def clothes_template(body: BodyModel) -> Template:
    """The body in its T-pose, the joint that moves each vertex and face most, and a drape, seen from both sides."""
    joints = body.weights.argmax(1).astype(np.int32)
    a, b, c = joints[body.faces].T
    tube, faces = _tube(len(joints))
    return Template(
        rest=np.concatenate([body.v_template, tube, tube]).astype(np.float32),
        faces=np.concatenate([body.faces, faces]).astype(np.int32),
        joints=np.concatenate([joints, np.full(2 * len(tube), DRAPE)]).astype(np.int32),
        face_joint=np.concatenate([np.where(b == c, b, a), np.full(len(faces), DRAPE)]).astype(np.int32),
        lower_body=np.flatnonzero(np.isin(joints, _LOWER_BODY)).astype(np.int32),
    )


def _tube(first: int) -> tuple[Float32s, Int64s]:
    """Points (RINGS SPOKES, 3) of a drape, all at height 0, and its outer and inner faces, from vertex ``first`` on."""
    ring_points = np.stack([_REST_RADIUS[0] * _COSINE, np.zeros_like(_ANGLE), _REST_RADIUS[1] * _SINE], -1)
    points = np.tile(ring_points, (RINGS, 1))
    ring, spoke = np.divmod(np.arange((RINGS - 1) * SPOKES), SPOKES)
    here, beside = ring * SPOKES + spoke, ring * SPOKES + (spoke + 1) % SPOKES
    outer = np.concatenate(
        [np.stack([here, beside, here + SPOKES], -1), np.stack([beside, beside + SPOKES, here + SPOKES], -1)]
    )
    return points, first + np.concatenate([outer, outer[:, ::-1] + RINGS * SPOKES])


def hang(vertices: Float32s, rest: Float32s, lower_body: Int32s, cut: NDArray[np.void], fall: Fall) -> None:
    """Hang the drape of ``cut`` around a body, in place.

    ``vertices`` (V + D, 3) m: the naked body, then room for the drape, which shrinks to a point where there is none;
    ``rest`` (V + D, 3) its T-pose, in which the heights of the drape are set, too.
    """
    drape, rest_drape = vertices[-2 * RINGS * SPOKES :], rest[-2 * RINGS * SPOKES :]
    if cut["drape_hem"] >= cut["drape_top"]:
        drape[:] = vertices[0]
        return
    heights = np.linspace(cut["drape_top"], cut["drape_hem"], RINGS, dtype=np.float32)
    body, rest_body = vertices[lower_body], rest[lower_body]
    reach = max(_LEAST_REACH_M, float(heights[0] - heights[1]))
    bands = [np.flatnonzero(np.abs(rest_body[:, 1] - height) < reach) for height in heights]
    centres = np.stack([body[band].mean(0) for band in bands])
    lefts, fronts = _ring_axes(centres, body, rest_body)
    radius = np.zeros(SPOKES, np.float32)
    for ring, band in enumerate(bands):
        spokes = _COSINE[:, None] * lefts[ring] + _SINE[:, None] * fronts[ring]
        radius = np.maximum(((body[band] - centres[ring]) @ spokes.T).max(0), _NARROWEST * radius)
        room = fall.room(ring / (RINGS - 1), float(cut["drape_flare"]))
        drape[ring * SPOKES : (ring + 1) * SPOKES] = centres[ring] + (radius + room)[:, None] * spokes
    drape[RINGS * SPOKES :] = drape[: RINGS * SPOKES]
    rest_drape[:, 1] = np.tile(heights.repeat(SPOKES), 2)


def _ring_axes(centres: Float32s, body: Float32s, rest: Float32s) -> tuple[Float32s, Float32s]:
    """(RINGS, 3) unit vectors to the left and to the front of a body, square to the line of the rings' ``centres``."""
    last = len(centres) - 1
    along = np.stack([centres[min(last, ring + 2)] - centres[max(0, ring - 2)] for ring in range(len(centres))])
    along /= np.linalg.norm(along, axis=1, keepdims=True) + 1e-6
    sideways = np.sign(rest[:, 0]) @ body
    left = sideways - (along @ sideways)[:, None] * along
    left /= np.linalg.norm(left, axis=1, keepdims=True) + 1e-6
    return left, np.cross(along, left)
