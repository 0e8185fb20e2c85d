"""Cloth that does not follow the skin: skirts, dresses, coats and loose shirts, hung around both legs.

A drape is a tube of RINGS rings around the posed body. Each ring belongs to a height of the T-pose and reaches around
whatever the body has at that height, both legs at once, wherever the pose has taken them; lower rings are never much
narrower than those above.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hmr_ros.core.body_model import BodyModel
from hmr_ros.core.skeleton import SMPL
from hmr_ros.training.synthetic.images.garments import DRAPE
from hmr_ros.training.synthetic.images.shading import Template

RINGS, SPOKES = 12, 24

_LOWER_BODY = tuple(SMPL.index(j) for j in "pelvis left_hip right_hip spine1 left_knee right_knee".split())
_REST_RADIUS = (0.2, 0.15)
"""Half axes in m, sideways and forwards, of a drape in the T-pose, where its pattern is laid out."""
_NARROWEST = np.float32(0.88)


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


def _tube(first: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Points (RINGS SPOKES, 3) of a drape, all at height 0, and its outer and inner faces, from vertex ``first`` on."""
    angle = np.tile(2 * np.pi * np.arange(SPOKES) / SPOKES, RINGS)
    points = np.stack([_REST_RADIUS[0] * np.cos(angle), np.zeros_like(angle), _REST_RADIUS[1] * np.sin(angle)], -1)
    ring, spoke = np.divmod(np.arange((RINGS - 1) * SPOKES), SPOKES)
    here, beside = ring * SPOKES + spoke, ring * SPOKES + (spoke + 1) % SPOKES
    outer = np.concatenate(
        [np.stack([here, beside, here + SPOKES], -1), np.stack([beside, beside + SPOKES, here + SPOKES], -1)]
    )
    return points, first + np.concatenate([outer, outer[:, ::-1] + RINGS * SPOKES])


@njit(cache=True, nogil=True)
def hang(posed, rest, lower_body, cut, ease, folds, phase):
    """Hang the drape of ``cut`` around a body, in place.

    ``posed`` (V + D, 3) m: the naked body, then room for the drape, which shrinks to a point where there is none;
    ``rest`` (V + D, 3) its T-pose, whose drape heights are set, too; ``ease`` m of room; ``folds`` m and ``phase``.
    """
    tube = RINGS * SPOKES
    first = len(posed) - 2 * tube
    if cut.drape_hem >= cut.drape_top:
        posed[first:] = posed[0]
        return
    spacing = (cut.drape_top - cut.drape_hem) / (RINGS - 1)
    reach = max(np.float32(0.03), spacing)
    centres = np.zeros((RINGS, 3), np.float32)
    sideways = np.zeros(3, np.float32)
    for ring in range(RINGS):
        y = cut.drape_top - ring * spacing
        count = 0
        for v in lower_body:
            if abs(rest[v, 1] - y) < reach:
                count += 1
                centres[ring] += posed[v]
                sideways += posed[v] * np.sign(rest[v, 0])
        centres[ring] /= max(1, count)
    radius, before = np.zeros(SPOKES, np.float32), np.zeros(SPOKES, np.float32)
    for ring in range(RINGS):
        y = cut.drape_top - ring * spacing
        along = centres[min(RINGS - 1, ring + 2)] - centres[max(0, ring - 2)]
        along /= np.sqrt((along * along).sum()) + np.float32(1e-6)
        left = sideways - along * (along * sideways).sum()
        left /= np.sqrt((left * left).sum()) + np.float32(1e-6)
        front = np.cross(along, left)
        share = np.float32(ring) / np.float32(RINGS - 1)
        radius[:] = 0
        for v in lower_body:
            if abs(rest[v, 1] - y) < reach:
                offset = posed[v] - centres[ring]
                a, b = (offset * left).sum(), (offset * front).sum()
                for spoke in range(SPOKES):
                    angle = np.float32(2 * np.pi / SPOKES) * spoke
                    radius[spoke] = max(radius[spoke], a * np.cos(angle) + b * np.sin(angle))
        for spoke in range(SPOKES):
            angle = np.float32(2 * np.pi / SPOKES) * spoke
            radius[spoke] = max(radius[spoke], _NARROWEST * before[spoke])
            before[spoke] = radius[spoke]
            wave = folds * np.sin(7 * angle + phase) + folds * np.sin(4 * angle - 2 * phase)
            r = radius[spoke] + ease * (np.float32(0.4) + share) + share * (cut.drape_flare + wave)
            index = first + ring * SPOKES + spoke
            posed[index] = centres[ring] + r * (np.cos(angle) * left + np.sin(angle) * front)
            posed[index + tube] = posed[index]
            rest[index, 1] = y
            rest[index + tube, 1] = y
