# SPDX-License-Identifier: Apache-2.0
"""Distance and size of people by a depth camera.

A single image does not distinguish a tall person from a near one: a body of twice the size at twice the distance looks
the same. So keypoints place a body as far away as its guessed size says, and a child taken for an adult stands too far
back. Depth ends that: scaled about the camera, a body stays under its keypoints, and the scale is the quotient of what
is measured and what the body's surface says, at each pixel that sees it. Then distance and size are right together.

A pixel that sees something else (a table in front, the wall past an arm) gives some other quotient. The body's own is
one on which a good part of the trunk agrees, to the thickness of a hand, with hardly anything behind it. Where there is
no such quotient, nothing is changed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Floats, Ints
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.body.growth import Growth
from hmr_ros.core.geometry.camera import project
from hmr_ros.core.people import Camera, Estimates
from hmr_ros.core.skeleton import SMPL

_TRUNK = "pelvis left_hip right_hip spine1 spine2 spine3 left_collar right_collar neck head".split()
"""Parts whose skin is compared: arms and shins are thin, and seldom quite where they are estimated."""

_CELLS = 50
"""A body's longer side in the image is sampled at this many points: 3.5 cm apart for a standing adult."""

_MIN_SAMPLES = 20
_AGREEING_M = 0.05
"""What lies no farther from the body's surface, all moved alike, may be the body: pose, clothes and sensor err so."""

_MIN_SUPPORT = 0.25
"""Fraction of the measured points that have to agree."""

_MAX_BEHIND = 0.2
"""Fraction of the measured points that may lie behind the body: past a limb that is not quite where it was
estimated."""

_SCALES = (0.4, 1.8)
"""Range of measured over expected distance; beyond it, another person or thing was measured."""

_DEVIATION_M = 0.05
"""Standard deviation of a measured distance. Rendered people are off by 2 cm in the median; clothes, and what a body is
mistaken for, add to that. Not calibrated: no recording with depth and ground truth was available."""


@dataclass(frozen=True, eq=False)
class DepthImage:
    """``z`` (h, w) m along the optical axis, not finite or <= 0 where nothing was measured.

    Registered to the colour image, pixel by pixel or at another resolution of the same view.
    """

    z: Floats

    def __post_init__(self) -> None:
        if self.z.ndim != 2 or not self.z.size:
            raise ValueError(f"DepthImage.z: expected shape (h, w), got {self.z.shape}")

    def at(self, pixels: Floats, camera: Camera) -> Floats:
        """(..., 2) px of the colour image that ``camera`` took -> (...) m, NaN where nothing was measured."""
        height, width = self.z.shape
        scale = np.array([width / camera.width, height / camera.height])
        nearest = np.round((np.nan_to_num(pixels, nan=-1e6) + 0.5) * scale - 0.5)
        column, row = np.moveaxis(np.clip(nearest, 0, [width - 1, height - 1]).astype(np.int64), -1, 0)
        z = self.z[row, column]
        inside = (nearest >= 0).all(-1) & (nearest < [width, height]).all(-1)
        return np.where(inside & np.isfinite(z) & (z > 0), z, np.nan)


class DepthFit:
    """Finds by depth how much larger and farther away people of one body model are than they were estimated."""

    def __init__(self, body_model: BodyModel) -> None:
        self._body_model = body_model
        self._on_trunk = np.isin(body_model.weights.argmax(1), [SMPL.index(name) for name in _TRUNK])

    def __call__(self, people: Estimates, camera: Camera, depth: DepthImage) -> list[ScaleFit | None]:
        """The scale of each of ``people``, all valid; None where it is not clear."""
        vertices = self._body_model.posed(people.global_orient, people.body_pose, people.betas, people.cam_t).vertices
        pixels, fits = project(vertices, camera), []
        for person in range(len(people)):
            front = front_samples(pixels, vertices[..., 2], person, camera)
            front = front[self._on_trunk[front]]
            fits.append(fit_scale(depth.at(pixels[person, front], camera), vertices[person, front, 2]))
        return fits


def scaled(growth: Growth, cam_t: Floats, betas: Floats, fit: ScaleFit) -> tuple[Floats, Floats]:
    """Position (3,) m and shape (10,) of a person, scaled about the camera as ``fit`` says."""
    grown = growth.grown(betas, fit.scale)
    # Of a body that grew less than its distance did, the surface is where it was measured all the same.
    behind_surface = (cam_t[2] - fit.surface_z) * growth.size(grown) / growth.size(betas)
    return np.asarray(cam_t * ((fit.scale * fit.surface_z + behind_surface) / cam_t[2])), grown


def with_measured_distance(covariance: Floats, cam_t: Floats) -> Floats:
    """``covariance`` (3, 3) m^2 of a position ``cam_t`` (3,) m whose distance was measured."""
    bearing = cam_t / np.linalg.norm(cam_t)
    return np.asarray(covariance + (_DEVIATION_M**2 - bearing @ covariance @ bearing) * np.outer(bearing, bearing))


def front_samples(pixels: Floats, z: Floats, person: int, camera: Camera) -> Ints:
    """Vertices of one of the people that the camera sees, evenly over the image and away from the outline.

    ``pixels`` (P, V, 2) px and ``z`` (P, V) m of all people's vertices, who hide each other.
    """
    inside = (pixels >= 0).all(-1) & (pixels <= [camera.width - 1, camera.height - 1]).all(-1) & (z > 0)
    own = pixels[person][inside[person]]
    if len(own) == 0:
        return np.zeros(0, np.int64)
    low, extent = own.min(0), float(np.ptp(own, axis=0).max())
    cell = max(extent / _CELLS, 1.0)
    columns, rows = (np.ptp(own, axis=0) // cell).astype(np.int64) + 1

    owner, vertex = np.nonzero(inside & (pixels >= low).all(-1) & (pixels <= own.max(0)).all(-1))
    position = ((pixels[owner, vertex] - low) // cell).astype(np.int64)
    key = position[:, 1] * columns + position[:, 0]
    order = np.lexsort((z[owner, vertex], key))
    first = order[np.flatnonzero(np.diff(key[order], prepend=-1))]
    mine = first[owner[first] == person]

    seen = np.zeros((rows + 2, columns + 2), np.bool_)  # with a margin, so that every cell has neighbours
    seen[position[mine, 1] + 1, position[mine, 0] + 1] = True
    inner = seen[1:-1, 1:-1] & seen[:-2, 1:-1] & seen[2:, 1:-1] & seen[1:-1, :-2] & seen[1:-1, 2:]
    return np.asarray(vertex[mine[inner[position[mine, 1], position[mine, 0]]]])


@dataclass(frozen=True)
class ScaleFit:
    """``scale``: measured over expected distance; ``surface_z`` m: the expected one, of the points that agree."""

    scale: float
    surface_z: float


def fit_scale(measured_z: Floats, surface_z: Floats) -> ScaleFit | None:
    """The quotient of (N,) m measured and (N,) m expected that many agree on; None where no or several could be it.

    Of two that have support the farther one is the body's: people stand behind things, but hardly anything is seen
    through the middle of a person.
    """
    scale = measured_z / surface_z
    order = np.argsort(scale)[: np.isfinite(scale).sum()]
    scale, surface_z = scale[order], surface_z[order]
    if len(scale) < _MIN_SAMPLES:
        return None
    reach = _AGREEING_M / float(np.median(surface_z))
    first, end = np.searchsorted(scale, scale - reach), np.searchsorted(scale, scale + reach, "right")
    support = (end - first) / len(scale)
    enough = np.flatnonzero((support >= _MIN_SUPPORT) & (scale >= _SCALES[0]) & (scale <= _SCALES[1]))
    if len(enough) == 0:
        return None
    near_farthest = enough[scale[enough] >= scale[enough[-1]] - 2 * reach]
    best = near_farthest[support[near_farthest].argmax()]
    if (scale > scale[best] + 2 * reach).mean() > _MAX_BEHIND:
        return None
    agreeing = slice(first[best], end[best])
    return ScaleFit(float(np.median(scale[agreeing])), float(np.median(surface_z[agreeing])))
