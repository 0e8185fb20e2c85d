# SPDX-License-Identifier: Apache-2.0
"""One image of a result with the bodies in it."""

from __future__ import annotations

from dataclasses import dataclass

from hmr_ros.core.arrays import Image
from hmr_ros.core.people import Bodies, Camera, State

LEVEL = 0.9
"""Fraction of the ground truth that the ellipsoids hold."""

_GAUSSIAN_RADIUS = 2.5003
"""Mahalanobis distance that holds LEVEL of a normal distribution in three dimensions."""


@dataclass(frozen=True)
class Radii:
    """Mahalanobis distances that hold LEVEL of the ground truth: of joints relative to the pelvis, and of the pelvis.

    Those of a normal distribution where the result does not know its calibrated ones.
    """

    joint: float = _GAUSSIAN_RADIUS
    root: float = _GAUSSIAN_RADIUS


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The ``bodies`` of one image; without meshes, as results have none: ``vertices`` are (P, 0, 3).

    ``number`` counts the images of the source from 0; ``stamp_s`` is the time of the image in its source, s, NaN of a
    photo; ``header_ns`` is the stamp of its message, ns since 1970, None of other sources; ``names`` of the people in
    the rows of ``bodies``; ``image`` (H, W, 3) uint8 RGB, None where it is not there; ``camera``, None where it is not
    known; ``body_model`` is the name of what the SMPL parameters belong to, "" where that is not known.
    """

    number: int
    stamp_s: float
    bodies: Bodies
    names: tuple[str, ...]
    image: Image | None = None
    camera: Camera | None = None
    radii: Radii = Radii()
    header_ns: int | None = None
    body_model: str = ""

    @property
    def shown(self) -> Bodies:
        """The bodies that have a position and that may be trusted: not TENTATIVE."""
        return self.bodies.take(self.bodies.valid & (self.bodies.states != State.TENTATIVE))
