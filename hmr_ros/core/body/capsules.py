# SPDX-License-Identifier: Apache-2.0
"""Collision capsules that contain a posed body, for planners, which know spheres and cylinders and no skin.

The shipped open body has 18, one per body part. With ``PADDING_M`` more around them they contain 99.9 % of the vertices
of random people in random poses, and 99.1 % of the worst one's; their union is 3.1 times as large as the body. ``hmr
bench capsules`` measures that.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.records import Record

PADDING_M = 0.02
"""What the measured coverage needs; less leaves single vertices of the armpits and the buttocks outside."""

_SHORTEST_M = 1e-6


@dataclass(frozen=True, eq=False)
class CapsuleAxes:
    """Positions and orientations of the capsules' cylinders.

    ``centers`` (P, C, 3) m; ``lengths`` (P, C) m between the end points; ``rotations`` (P, C, 4) xyzw, z -> axis.
    """

    centers: Floats
    lengths: Floats
    rotations: Floats


@dataclass(frozen=True, eq=False)
class Capsules(Record):
    """All points within ``radii`` (P, C) m of the segments from ``starts`` to ``ends`` (P, C, 3) m; P bodies."""

    starts: Floats
    ends: Floats
    radii: Floats

    def __post_init__(self) -> None:
        people, count = self.radii.shape
        for name in ("starts", "ends"):
            if getattr(self, name).shape != (people, count, 3):
                raise ValueError(
                    f"Capsules.{name}: expected shape {(people, count, 3)}, got {getattr(self, name).shape}"
                )

    def padded(self, padding_m: float) -> Capsules:
        """These capsules with radii larger by ``padding_m``."""
        return dataclasses.replace(self, radii=self.radii + padding_m)

    def joined(self, others: Capsules) -> Capsules:
        """These capsules and those ``others`` of the same people."""
        pairs = ((self.starts, others.starts), (self.ends, others.ends), (self.radii, others.radii))
        return Capsules(*(np.concatenate(pair, 1) for pair in pairs))

    def moved(self, move: Callable[[Floats], Floats]) -> Capsules:
        """These capsules after ``move``, a rigid motion of points (..., 3) m."""
        return dataclasses.replace(self, starts=move(self.starts), ends=move(self.ends))

    def axes(self) -> CapsuleAxes:
        """The cylinders between the capsules' end points."""
        along = self.ends - self.starts
        lengths = np.sqrt((along * along).sum(-1))
        direction = along / np.maximum(lengths, _SHORTEST_M)[..., None]
        # A cylinder has no up: with z >= 0 the smallest rotation from z is never near 180 degrees, where it is
        # undefined.
        half = direction * np.where(direction[..., 2:] < 0, -1.0, 1.0) + np.array([0.0, 0.0, 1.0])
        half /= np.sqrt((half * half).sum(-1, keepdims=True))
        x, y, z = half[..., 0], half[..., 1], half[..., 2]
        return CapsuleAxes((self.starts + self.ends) / 2, lengths, np.stack([-y, x, np.zeros_like(x), z], -1))

    def distances(self, points: Floats) -> Floats:
        """(P, N, 3) m -> (P, N) m, how far points of each body lie outside of its capsules; negative inside."""
        along = (self.ends - self.starts)[:, None]
        offset = points[:, :, None] - self.starts[:, None]
        squared = np.maximum((along * along).sum(-1), _SHORTEST_M**2)
        fraction = np.clip((offset * along).sum(-1) / squared, 0, 1)
        apart = offset - fraction[..., None] * along
        distance: Floats = (np.sqrt((apart * apart).sum(-1)) - self.radii[:, None]).min(-1)
        return distance


@dataclass(frozen=True, eq=False)
class CapsuleRig(Record):
    """The capsules of a body model, bound to its vertices.

    End points are weighted means of vertices, so they follow shape and pose: ``start_weights`` and ``end_weights``
    (C, V), whose rows sum to 1. ``radii`` (C,) m of the mean shape; ``radius_directions`` (C, 10) m per unit of beta.
    """

    start_weights: Floats
    end_weights: Floats
    radii: Floats
    radius_directions: Floats

    def __post_init__(self) -> None:
        count, V = self.start_weights.shape
        expected = {"end_weights": (count, V), "radii": (count,), "radius_directions": (count, 10)}
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"CapsuleRig.{name}: expected shape {shape}, got {getattr(self, name).shape}")

    def posed(self, vertices: Floats, betas: Floats) -> Capsules:
        """The capsules of posed bodies: ``vertices`` (P, V, 3) m, in any frame; ``betas`` (P, 10)."""
        ends = self._weights @ vertices
        radii = self.radii + betas @ self.radius_directions.T
        return Capsules(ends[:, : len(self)], ends[:, len(self) :], np.maximum(radii, _SHORTEST_M))

    @cached_property
    def _weights(self) -> Floats:
        """(2 C, V), so that all end points are one product."""
        return np.ascontiguousarray(np.concatenate([self.start_weights, self.end_weights]))
