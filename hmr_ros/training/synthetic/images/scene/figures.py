# SPDX-License-Identifier: Apache-2.0
"""Dressed bodies, and where they stand in each other's images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hmr_ros.core.arrays import Float32s, Float64s
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.records import Record
from hmr_ros.training.synthetic.cameras import Views
from hmr_ros.training.synthetic.images.clothing.appearance import sample_look
from hmr_ros.training.synthetic.images.clothing.drapes import Fall, hang
from hmr_ros.training.synthetic.images.clothing.fabrics import Look
from hmr_ros.training.synthetic.images.clothing.garments import Stuff, offsets
from hmr_ros.training.synthetic.images.clothing.shading import Template
from hmr_ros.training.synthetic.images.rendering.raster import vertex_normals

_CLOSEST_M = 0.4
"""Companions do not come nearer than this to the camera."""


@dataclass(frozen=True, eq=False)
class Figures(Record):
    """M dressed bodies: ``vertices`` (M, V, 3) m and ``normals`` (M, V, 3), optical frame; ``rest`` (M, V, 3) m T-pose;
    ``cuts`` (M,) and ``materials`` (M, K) as in ``garments.py``.
    """

    vertices: Float32s
    normals: Float32s
    rest: Float32s
    cuts: NDArray[np.void]
    materials: NDArray[np.void]


def dressed(naked: Float32s, template: Template, rng: Generator) -> Figures:
    """Posed bodies (B, V, 3) m in random clothes."""
    looks = [sample_look(rng) for _ in naked]
    cuts, materials = (np.stack(parts) for parts in zip(*looks, strict=True))
    vertices = np.zeros((len(naked), *template.rest.shape), np.float32)
    vertices[:, : naked.shape[1]] = naked
    rest = np.tile(template.rest, (len(naked), 1, 1))
    normals = np.empty_like(vertices)
    for body in range(len(naked)):
        _dress(vertices[body], rest[body], template, Look(cuts[body], materials[body]), rng)
        normals[body] = vertex_normals(vertices[body], template.faces)
    return Figures(vertices, normals, rest, cuts, materials)


def _dress(vertices: Float32s, rest: Float32s, template: Template, look: Look, rng: Generator) -> None:
    """Hang the drape and push out what clothes cover, in place."""
    ease = float(look.materials[Stuff.BOTTOM]["thickness"]) + rng.uniform(0.004, 0.03)
    hang(vertices, rest, template.lower_body, look.cuts, Fall(ease, rng.uniform(0, 0.012), rng.uniform(0, 2 * np.pi)))
    # Compiled code reads the fields of these structured arrays as attributes, as those of records.
    cut, materials = cast("np.record", look.cuts), cast("NDArray[np.record]", look.materials)
    offset = offsets(cut, materials, rest, template.joints)
    vertices += offset[:, None] * vertex_normals(vertices, template.faces)


def gathered(figures: Figures, views: Views, subject: int, companions: int, rng: Generator) -> Figures:
    """``subject`` first, then ``companions`` others of the batch standing around it on its floor, in its camera."""
    vertices, normals, rows = [figures.vertices[subject]], [figures.normals[subject]], [subject]
    others = np.delete(np.arange(len(figures.vertices)), subject)
    for other in rng.choice(others, min(companions, len(others)), replace=False):
        rotation, translation = _placed(figures, views, subject, other, rng)
        moved = figures.vertices[other] @ rotation.T + translation
        if moved[:, 2].min() > _CLOSEST_M:
            vertices.append(moved)
            normals.append(figures.normals[other] @ rotation.T)
            rows.append(int(other))
    clothes = (figures.rest[rows], figures.cuts[rows], figures.materials[rows])
    return Figures(np.stack(vertices), np.stack(normals), *clothes)


def _placed(figures: Figures, views: Views, subject: int, other: int, rng: Generator) -> tuple[Float32s, Float32s]:
    """Rigid motion from the optical frame of ``other``'s camera to that of ``subject``'s, turned and moved at random.

    Both stand on the floor of a world of their own (y up).
    """
    ground = np.array([1.0, 0.0, 1.0])

    def centre(index: int) -> Float64s:
        middle = figures.vertices[index].mean(0, dtype=np.float64)
        return np.asarray(ground * (views.rotation[index].T @ (middle - views.translation[index])))

    heading = rng.uniform(-np.pi, np.pi)
    beside = ground * (views.rotation[subject].T @ _beside(rng))
    turn = rotvec_to_rotmat(np.array([0, heading, 0]))
    rotation = views.rotation[subject] @ turn @ views.rotation[other].T
    foot = turn @ (-views.rotation[other].T @ views.translation[other] - centre(other)) + centre(subject) + beside
    translation = views.rotation[subject] @ foot + views.translation[subject]
    return rotation.astype(np.float32), translation.astype(np.float32)


def _beside(rng: Generator) -> Float64s:
    """(3,) m in the optical frame: from one person to another, half of the time right in front of or behind it."""
    distance = 0.35 + 3 * rng.random() ** 2
    lined_up = rng.choice((0, np.pi)) + rng.normal(0, 0.4)
    bearing = lined_up if rng.random() < 0.5 else rng.uniform(-np.pi, np.pi)
    return distance * np.array([np.sin(bearing), 0, np.cos(bearing)])
