# SPDX-License-Identifier: Apache-2.0
"""Distance and size of people by the ground that they stand on.

A body of twice the size at twice the distance looks the same, but its feet are at twice the depth under the camera: a
foot that touches the ground fixes the scale. With s the scale of the body about the camera, p its point of contact, n
the ground's normal, h the camera's height and e a small error of the position, contact is one linear equation,

    n . (s p + e) + h = 0,

solved with the Gaussian priors of s (what is known of the person's size) and e (the keypoints) in one Kalman update: it
gives distance and size together, each by its own variance. The equation is as uncertain as the height of the ground
there, the pose of the leg, and the contact itself: a foot that rises or sinks is none. Evidence that contradicts what
is known (a step, a jump, a high seat, a ladder) is refused by its residual.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Floats, Ints
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.body.skinning import Skin, chained_joints, transformed, world_rotations
from hmr_ros.core.geometry.ground import Ground
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.people import Estimates
from hmr_ros.core.skeleton import SMPL

_TILTS_RAD = tuple(np.deg2rad([-75, -50, -30, -15, 0, 15, 30, 50, 75]))
_ROLLS_RAD = tuple(np.deg2rad([-35, 0, 35]))
"""Pitch and roll of a foot: of its vertices, those are posed that are the lowest one in any of these."""

_SHARED_M = 0.02
"""Feet whose heights differ by less share the contact; of others the lower one has it."""

CONTACT_M = 0.015
"""Standard deviation of the height of a foot on the ground: shoes, floors, and soles that are not flat on it."""

RISING_S = 0.15
"""A contact that moves up or down is uncertain by what it moves in this time."""

IMAGE_SCALE = 0.03
"""Standard deviation of how large a person looks in an image, by keypoints and pose, as a fraction."""

_UNSEEN_M = 0.2
"""Standard deviation added for a contact that is not seen: feet out of view may be on a step, and people may sit."""

_UNKNOWN_ALONG, _UNKNOWN_ACROSS_M, _UNKNOWN_LEG_M = 0.1, 0.03, 0.05
"""Deviations of root (along the line of sight, as a fraction of the distance; across it) and foot where the network
states none."""

_LIFTED = 0.5
"""Standard deviation added for a contact above the ground, as a fraction of the height that is more than the noise of
one image: feet leave the floor."""

_REFUSED = 3.0
"""Standard deviations of a residual beyond which the evidence is of another ground, or none."""

_FEET = (("left_ankle", "left_foot"), ("right_ankle", "right_foot"))
_ANKLES = [SMPL.index("left_ankle"), SMPL.index("right_ankle")]


@dataclass(frozen=True, eq=False)
class Soles:
    """The undersides of both feet of one body model: as many vertices of each."""

    _body_model: BodyModel
    _skin: Skin

    @staticmethod
    def of(body_model: BodyModel) -> Soles:
        """Of the rest pose, in which both feet are flat on the ground."""
        part = body_model.weights.argmax(1)
        feet = [np.flatnonzero(np.isin(part, [SMPL.index(name) for name in names])) for names in _FEET]
        return Soles(body_model, body_model.skin.subset(np.concatenate([_lowest(body_model, foot) for foot in feet])))

    def __call__(self, people: Estimates) -> Floats:
        """(P, 2, N, 3) m: the points of the left and the right sole, the pelvis at 0, in optical axes."""
        pose = np.concatenate([people.global_orient[:, None], people.body_pose], 1).astype(np.float32)
        rotations, betas = rotvec_to_rotmat(pose), people.betas.astype(np.float32)
        world, rest = world_rotations(rotations), self._body_model.rest_joints(betas)
        transforms = self._skin.blended(world, chained_joints(world, rest), rest)
        points = transformed(transforms, self._skin.unposed(betas, rotations)).transpose(0, 2, 1)
        return np.asarray(points.reshape(len(points), 2, -1, 3), np.float64)


def _lowest(body_model: BodyModel, foot: Ints) -> Ints:
    """For each pitch and roll, the vertex of ``foot`` (N,) that is then the lowest one; one may be so for several."""
    tilt, roll = (angle.ravel() for angle in np.meshgrid(_TILTS_RAD, _ROLLS_RAD))
    down = np.stack([np.sin(roll), -np.cos(roll) * np.cos(tilt), np.cos(roll) * np.sin(tilt)])
    return np.asarray(foot[(body_model.v_template[foot] @ down).argmax(0)])


@dataclass(frozen=True, eq=False)
class Contact:
    """Where a body touches the ground, if it does: ``point`` (3,) m relative to its root, in optical axes.

    ``deviation_m`` of the height of the contact relative to the root: by the pose of the leg. Where it is not ``seen``
    it is expected.
    """

    point: Floats
    deviation_m: float
    seen: bool = True


def contact(soles: Floats, joint_covariance: Floats, up: Floats, seen: Bools) -> Contact:
    """The contact of a body: the lowest points of its soles (2, N, 3) m; expected where that foot is not ``seen`` (2,).

    ``joint_covariance`` (24, 3, 3) m^2 relative to the root, NaN where unknown. The lower foot counts, and the other
    one as much as it is about as low: then both share the load.
    """
    height = soles @ up
    lowest = height.min(1)
    lower = int(lowest.argmin())
    points = soles[[0, 1], height.argmin(1)]
    variance = up @ joint_covariance[_ANKLES] @ up
    variance = np.where(np.isfinite(variance), variance, _UNKNOWN_LEG_M**2)
    if not seen[lower]:
        return Contact(points[lower], float(np.hypot(np.sqrt(variance[lower]), _UNSEEN_M)), seen=False)
    weight = np.exp(-(((lowest - lowest[lower]) / _SHARED_M) ** 2)) * seen
    weight /= weight.sum()
    middle = weight @ points
    return Contact(middle - (up @ (middle - points[lower])) * up, float(np.sqrt(weight @ variance)))


@dataclass(frozen=True, eq=False)
class Standing:
    """A person of whom the ground is to say more: the root ``cam_t`` (3,) m, and what is known by other evidence.

    ``scale`` is expected, with ``scale_deviation``, of the body about the camera; ``shift`` (3, 3) m^2: covariance of
    the root, of that scale, by its keypoints and pose.
    """

    cam_t: Floats
    scale: float
    scale_deviation: float
    shift: Floats

    @property
    def covariance(self) -> Floats:
        """(3, 3) m^2 of the root."""
        return np.asarray(self.scale_deviation**2 * np.outer(self.cam_t, self.cam_t) + self.shift)

    def less_along(self, variance: float) -> Floats:
        """``covariance`` less a ``variance`` m^2 along the line of sight; across it the ground tells hardly a thing."""
        bearing = self.cam_t / np.linalg.norm(self.cam_t)
        return np.asarray(self.covariance - variance * np.outer(bearing, bearing))


@dataclass(frozen=True, eq=False)
class GroundFit:
    """A person on the ground.

    ``cam_t`` (3,) m and ``scale`` of the body, ``covariance`` (3, 3) m^2 of ``cam_t``; ``measured``: the scale by this
    contact alone, with its standard deviation ``deviation``; ``residual``: height of the contact above the ground
    before, in standard deviations.
    """

    cam_t: Floats
    scale: float
    covariance: Floats
    measured: float
    deviation: float
    residual: float

    @property
    def is_contact(self) -> bool:
        """Whether the evidence agrees with what was known."""
        return abs(self.residual) <= _REFUSED


def fit_ground(person: Standing, touching: Contact, ground: Ground, rising_m_s: float) -> GroundFit | None:
    """``person`` with the contact on the ground; ``rising_m_s``: how fast the contact moves up or down.

    None where the contact is not below the camera: the ground says nothing.
    """
    start = person.cam_t + touching.point
    depth = float(ground.up @ start)
    if depth >= 0:
        return None
    above = ground.height_m + person.scale * depth
    variance = (
        CONTACT_M**2
        + (person.scale * touching.deviation_m) ** 2
        + float(ground.deviation(person.scale * start)) ** 2
        + (RISING_S * rising_m_s) ** 2
    )
    by_shift = float(ground.up @ person.shift @ ground.up)
    expected = depth**2 * person.scale_deviation**2 + by_shift + variance
    noise = float(np.sqrt(by_shift + variance))  # which is no lift
    total = expected + (_LIFTED * max(above - noise, 0.0)) ** 2
    # The unknowns are scale and shift; the root depends on both.
    root_gain = (person.scale_deviation**2 * depth * person.cam_t + person.shift @ ground.up) / total
    bearing = person.cam_t / np.linalg.norm(person.cam_t)
    return GroundFit(
        cam_t=person.scale * person.cam_t - root_gain * above,
        scale=person.scale - person.scale_deviation**2 * depth / total * above,
        covariance=person.less_along(float(bearing @ root_gain) ** 2 * total),
        measured=-ground.height_m / depth,
        deviation=float(np.sqrt(total - depth**2 * person.scale_deviation**2)) / -depth,
        residual=above / float(np.sqrt(expected)),
    )


def standing(cam_t: Floats, root_covariance: Floats, scale: float, scale_deviation: float) -> Standing:
    """A person at ``cam_t`` (3,) m by keypoints, with the covariance (3, 3) m^2 that the network states, NaN: none.

    The network's deviation along the line of sight is mostly that of the size, and is replaced by ``scale_deviation``;
    what remains is how large the person looks.
    """
    distance = float(np.linalg.norm(cam_t))
    bearing = cam_t / distance
    across = (float(np.trace(root_covariance)) - float(bearing @ root_covariance @ bearing)) / 2
    across = across if np.isfinite(across) else _UNKNOWN_ACROSS_M**2
    along = (IMAGE_SCALE * scale * distance) ** 2
    return Standing(cam_t, scale, scale_deviation, across * np.eye(3) + (along - across) * np.outer(bearing, bearing))


def guessed_deviation(cam_t: Floats, root_covariance: Floats) -> float:
    """Standard deviation of the size that a network guesses, as a fraction of it: that of the distance."""
    variance = float(cam_t @ root_covariance @ cam_t) / float(cam_t @ cam_t) ** 2
    if not np.isfinite(variance):
        return _UNKNOWN_ALONG
    return float(np.sqrt(max(variance - IMAGE_SCALE**2, IMAGE_SCALE**2)))
