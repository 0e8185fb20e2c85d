# SPDX-License-Identifier: Apache-2.0
"""Random cameras as robots carry them, and what of a person they see.

World: y up, metres, the person stands around the origin. Camera: optical frame (x right, y down, z forward).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from hmr_ros.core.arrays import Bools, Float32s, Float64s, Floats, Int64s
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.records import Record
from hmr_ros.core.settings import setting

_OPTICAL_FROM_LEVEL = np.diag([-1.0, -1.0, 1.0])
"""A level camera that looks along the world's +z: its x points to the world's -x, its y down."""


MARGIN = 1.15
"""Room around a body that fits into the image, as a fraction of its size."""


@dataclass(frozen=True)
class CameraMix:
    """Ranges of the random cameras."""

    focal_over_diagonal: tuple[float, ...] = setting(
        (0.6, 1.8), doc="smallest and largest focal length over image diagonal", low=0.2, high=5
    )
    distance: tuple[float, ...] = setting(
        (1.5, 10.0), doc="smallest and largest distance on the floor in m", low=0.5, high=100
    )
    height: tuple[float, ...] = setting((0.2, 2.0), doc="lowest and highest camera in m", low=0, high=10)
    far: float = setting(0.0, doc="fraction of cameras up to the distance farthest", low=0, high=1)
    farthest: float = setting(30.0, doc="largest distance of these, m", low=0.5, high=100)
    high: float = setting(0.0, doc="fraction of cameras above height, up to highest", low=0, high=1)
    highest: float = setting(8.0, doc="largest height of these, m", low=0, high=50)
    whole: float = setting(0.6, doc="fraction of people that fit into the image", low=0, high=1)
    pitch: float = setting(40.0, doc="largest pitch, up or down, in degrees", low=0, high=80)
    roll: float = setting(6.0, doc="largest roll in degrees", low=0, high=180)
    widths: tuple[int, ...] = setting((640, 1280, 1920, 848, 480, 720), doc="image widths in px", low=16)
    heights: tuple[int, ...] = setting(
        (480, 720, 1080, 480, 640, 1280), doc="image heights in px, one per width", low=16
    )


@dataclass(frozen=True, eq=False)
class Views(Record):
    """One camera per person: x_optical = ``rotation`` @ x_world + ``translation``.

    ``rotation`` (B, 3, 3), ``translation`` (B, 3) m, ``K`` (B, 3, 3) px, ``image_size`` (B, 2) width, height px.
    """

    rotation: Float64s
    translation: Float64s
    K: Float64s
    image_size: Int64s

    def to_optical(self, points: Float32s) -> Float32s:
        """World points (B, N, 3) in the optical frame."""
        turned = points @ self.rotation.transpose(0, 2, 1).astype(np.float32)
        turned += self.translation[:, None].astype(np.float32)
        return turned

    def to_pixels(self, points: Floats) -> Float64s:
        """Optical points (B, N, 3) in px; points beside or behind the camera (z < 0.05 m) come out far outside."""
        normalized = points[..., :2] / np.maximum(points[..., 2:], 0.05)
        return normalized * self.K[:, None, [0, 1], [0, 1]] + self.K[:, None, :2, 2]

    def to_normalized(self, pixels: Float64s) -> Float64s:
        """Pixels (B, N, 2) as normalized image coordinates x/z, y/z."""
        return (pixels - self.K[:, None, :2, 2]) / self.K[:, None, [0, 1], [0, 1]]

    def inside(self, pixels: Float64s) -> Bools:
        """(B, N) pixels that lie in the image."""
        return np.asarray(((pixels >= 0) & (pixels < self.image_size[:, None])).all(-1))


def sample_views(mix: CameraMix, centre: Float64s, extent: Float64s, rng: Generator) -> Views:
    """A camera for every person, a body of size ``extent`` (B,) m around ``centre`` (B, 3).

    A fraction ``mix.whole`` is aimed and placed so that the body fits into the image; for the others any part of it may
    be in view. The pitch limit wins over the aim, so people close to a low camera are cut all the same, as on robots.
    """
    count = len(centre)
    sizes = np.array([mix.widths, mix.heights]).T[rng.integers(len(mix.widths), size=count)]
    focal = np.linalg.norm(sizes, axis=1) * np.exp(_between(np.log(mix.focal_over_diagonal), rng, count))
    height, reach = _between(mix.height, rng, count), np.full(count, mix.distance[1])
    if mix.high:
        above = _between((mix.height[1], mix.highest), rng, count)
        height = np.where(rng.random(count) < mix.high, above, height)
    if mix.far:
        reach[rng.random(count) < mix.far] = mix.farthest
    whole = rng.random(count) < mix.whole
    fitting = MARGIN * extent * focal / sizes.min(1)
    nearest = np.where(whole, np.clip(fitting, mix.distance[0], reach), mix.distance[0])
    distance = nearest * (reach / nearest) ** rng.random(count)

    room = (sizes - np.where(whole, MARGIN * extent * focal / distance, 0)[:, None]).clip(0) / 2
    aim = rng.uniform(-0.95, 0.95, (count, 2)) * room / focal[:, None]
    target = centre + np.where(whole, 0, extent / 2)[:, None] * rng.uniform(-1, 1, (count, 3))
    eye = np.stack([target[:, 0], height, target[:, 2] - distance], -1)
    elevation = np.arctan2(target[:, 1] - height, distance)
    limit = np.deg2rad(mix.pitch)
    pitch = np.clip(elevation + np.arctan(aim[:, 1]), -limit, limit)
    yaw = np.arctan(aim[:, 0])
    roll = np.deg2rad(mix.roll) * rng.uniform(-1, 1, count)

    zero = np.zeros(count)
    turn = rotvec_to_rotmat(np.stack([zero, yaw, zero], -1))
    tilt = rotvec_to_rotmat(np.stack([-pitch, zero, zero], -1))
    spin = rotvec_to_rotmat(np.stack([zero, zero, roll], -1))
    rotation = spin @ tilt @ turn @ _OPTICAL_FROM_LEVEL
    K = np.zeros((count, 3, 3))
    K[:, 0, 0] = K[:, 1, 1] = focal
    K[:, :2, 2] = sizes / 2
    K[:, 2, 2] = 1
    return Views(rotation, -(rotation @ eye[..., None])[..., 0], K, sizes)


def _between(limits: ArrayLike, rng: Generator, count: int) -> Float64s:
    """(B,) uniform between the two ``limits``."""
    low, high = np.asarray(limits, np.float64)
    return rng.uniform(low, high, count)
