"""Dressed bodies, and where they stand in each other's pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hmr_ros.core.body_model import BodyModel
from hmr_ros.core.rotation import rotvec_to_rotmat
from hmr_ros.training.synthetic.cameras import Views
from hmr_ros.training.synthetic.images.appearance import sample_look
from hmr_ros.training.synthetic.images.garments import offsets
from hmr_ros.training.synthetic.images.raster import vertex_normals
from hmr_ros.training.synthetic.images.shading import Template

Floats = NDArray[np.float32]

_CLOSEST_M = 0.4
"""Companions do not come nearer than this to the camera."""


@dataclass(frozen=True, eq=False)
class Figures:
    """M dressed bodies: ``vertices`` (M, V, 3) m and ``normals`` (M, V, 3), optical frame; ``cuts`` (M,) and
    ``materials`` (M, K) as in ``garments.py``.
    """

    vertices: Floats
    normals: Floats
    cuts: NDArray[np.void]
    materials: NDArray[np.void]

    def take(self, index: list[int] | slice) -> Figures:
        """Those at ``index``."""
        return Figures(self.vertices[index], self.normals[index], self.cuts[index], self.materials[index])


def body_template(body: BodyModel) -> Template:
    """The body in its T-pose, and the joint that moves each vertex and face most."""
    joints = body.weights.argmax(1).astype(np.int32)
    faces = np.ascontiguousarray(body.faces, np.int32)
    a, b, c = joints[faces].T
    rest = np.ascontiguousarray(body.v_template, np.float32)
    return Template(rest, faces, joints, np.where(b == c, b, a).astype(np.int32))


def dressed(vertices: Floats, template: Template, rng: Generator) -> Figures:
    """Naked bodies (B, V, 3), posed, in random clothes."""
    looks = [sample_look(rng) for _ in vertices]
    cuts, materials = (np.stack(parts) for parts in zip(*looks, strict=True))
    clothed = np.array(vertices, np.float32)
    normals = np.empty_like(clothed)
    offset = np.empty(clothed.shape[1], np.float32)
    for body in range(len(clothed)):
        offsets(cuts[body], materials[body], template.rest, template.joints, offset)
        clothed[body] += offset[:, None] * vertex_normals(clothed[body], template.faces)
        normals[body] = vertex_normals(clothed[body], template.faces)
    return Figures(clothed, normals, cuts, materials)


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
    return Figures(np.stack(vertices), np.stack(normals), figures.cuts[rows], figures.materials[rows])


def _placed(figures: Figures, views: Views, subject: int, other: int, rng: Generator) -> tuple[Floats, Floats]:
    """Rigid motion from the optical frame of ``other``'s camera to that of ``subject``'s, turned and moved at random.

    Both stand on the floor of a world of their own (y up).
    """
    ground = np.array([1.0, 0.0, 1.0])

    def centre(index: int) -> NDArray[np.float64]:
        middle = figures.vertices[index].mean(0, dtype=np.float64)
        return np.asarray(ground * (views.rotation[index].T @ (middle - views.translation[index])))

    heading, bearing = rng.uniform(-np.pi, np.pi, 2)
    distance = 0.35 + 3 * rng.random() ** 2
    beside = distance * np.array([np.sin(bearing), 0, np.cos(bearing)])
    turn = rotvec_to_rotmat(np.array([0, heading, 0]))
    rotation = views.rotation[subject] @ turn @ views.rotation[other].T
    foot = turn @ (-views.rotation[other].T @ views.translation[other] - centre(other)) + centre(subject) + beside
    translation = views.rotation[subject] @ foot + views.translation[subject]
    return rotation.astype(np.float32), translation.astype(np.float32)
