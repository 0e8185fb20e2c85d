# SPDX-License-Identifier: Apache-2.0
"""The tracks that smoothing.py smooths: people as last seen, with the filters of their positions, poses and feet."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Floats, Int64s, Ints
from hmr_ros.core.config import SmoothingConfig
from hmr_ros.core.fitting.legs import ANKLES, LEGS, Legs
from hmr_ros.core.geometry.camera_motion import CameraPose, CameraPoses
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.people import Estimates
from hmr_ros.core.records import Record, join_rows
from hmr_ros.core.temporal.coasting import VELOCITY_MEMORY_S, coasted
from hmr_ros.core.temporal.footing import held, measured_feet, unknown_feet
from hmr_ros.core.temporal.one_euro import Filtered, filter_rotations, rotations_at_rest
from hmr_ros.core.temporal.root_motion import RootMotion
from hmr_ros.core.temporal.velocity import MAX_GAP_S, filtered_velocity


@dataclass(frozen=True, eq=False)
class BodyTracks(Record):
    """People as last seen: ``ids``, ``stamp_s``, ``views`` (N,) that their mean ``betas`` (N, 10) are over,
    ``velocities`` (N, 3) m/s they walk at, ``joint_error`` (N, 24) m of their last pose, with its covariances;
    ``legs`` (N, 6, 3, 3): rotations of the legs that stand (footing), in place of those of the pose; ``images`` (N,)
    that showed them.

    All is in the optical frame of the image whose camera pose is in ``poses``: the last one to which the camera's
    motion is known from the last one that showed the person.
    """

    ids: Ints
    stamp_s: Floats
    views: Floats
    betas: Floats
    velocities: Floats
    joint_error: Floats
    joint_covariance: Floats
    root_covariance: Floats
    positions: RootMotion
    rotations: Filtered
    feet: RootMotion
    legs: Floats
    images: Floats
    poses: CameraPoses

    @staticmethod
    def started(ids: Ints, estimates: Estimates, stamp_s: float, pose: CameraPose | None = None) -> BodyTracks:
        """Tracks ``ids`` (N,) at rest where ``estimates`` of N people, all valid, are, in the image of ``pose``."""
        rotvec = np.concatenate([estimates.global_orient[:, None], estimates.body_pose], 1).astype(np.float64)
        people, rotations = len(ids), rotvec_to_rotmat(rotvec)
        return BodyTracks(
            ids,
            np.full(people, stamp_s),
            np.zeros(people),
            estimates.betas.astype(np.float64),
            np.zeros((people, 3)),
            estimates.joint_error.astype(np.float64),
            estimates.joint_covariance,
            estimates.root_covariance,
            RootMotion.begun(estimates.cam_t.astype(np.float64), estimates.root_covariance),
            rotations_at_rest(rotations),
            unknown_feet(people),
            rotations[:, LEGS],
            np.zeros(people),
            CameraPoses.of(pose, people),
        )

    @staticmethod
    def empty() -> BodyTracks:
        """No one."""
        return BodyTracks.started(np.zeros(0, np.int64), Estimates.unknown(0), 0.0)

    def carried(self, pose: CameraPose | None) -> BodyTracks:
        """The same people in the optical frame of the image of ``pose``, as far as the camera's motion is known."""
        motions = self.poses.motions_to(pose)
        if pose is None or motions is None:
            return self
        joints = motions.rotations[:, None] @ self.joint_covariance @ motions.rotations[:, None].swapaxes(-1, -2)
        return dataclasses.replace(
            self,
            velocities=motions.directions(self.velocities),
            joint_covariance=joints,
            root_covariance=motions.covariances(self.root_covariance),
            positions=self.positions.carried(motions),
            rotations=self.rotations.carried(motions),
            feet=self.feet.carried(motions),
            poses=self.poses.replaced(pose),
        )

    def expected(self, unseen_s: Floats, pose: CameraPose | None) -> Floats:
        """(N, 3) m where they are ``unseen_s`` (N,) s later, in the image of ``pose``, as far as that is known."""
        places = coasted(self.positions.value, self.velocities, unseen_s)
        motions = self.poses.motions_to(pose)
        return places if motions is None else motions.points(places)

    def updated(self, now: BodyTracks, config: SmoothingConfig, *, filters_pose: bool) -> BodyTracks:
        """The same people, measured as in ``now``, with the shapes that it gives them."""
        # A new track is at rest where it was measured, so any step of time leaves it there. An equal stamp gives no
        # speed: filters start again.
        dt = np.where(now.stamp_s > self.stamp_s, now.stamp_s - self.stamp_s, 1.0)
        fresh = dt > MAX_GAP_S  # as after a pause; the shape stays
        last_positions = self.positions.replaced(fresh, now.positions)
        positions = last_positions.after(now.positions, dt, config.root_noise)
        moved = positions.value - last_positions.value
        velocities = filtered_velocity(self.velocities, moved, dt[:, None], VELOCITY_MEMORY_S)
        rotations = now.rotations
        if filters_pose:
            last_rotations = self.rotations.replaced(fresh, now.rotations)
            rotations = filter_rotations(last_rotations, now.rotations.raw, dt, config)
        return dataclasses.replace(
            now,
            velocities=velocities,
            positions=positions,
            rotations=rotations,
            legs=rotations.value[:, LEGS],
            images=self.images + 1,
        )

    def standing(self, last: BodyTracks, rest: Floats, noise: float) -> BodyTracks:
        """The same people with their feet held where they stand; ``last``: before this image, ``rest`` (N, 24, 3) m."""
        legs = Legs.posed(self.rotations.value, rest)
        covariance = self.joint_covariance[:, ANKLES] + self.root_covariance[:, None]
        now = RootMotion.begun(self.positions.value[:, None] + legs.ankle, covariance)
        dt = self.stamp_s - last.stamp_s
        begins = (dt <= 0) | (dt > MAX_GAP_S)
        feet = measured_feet(last.feet.replaced(begins, now), now, np.where(begins, 1.0, dt), noise)
        legs_held = legs.reaching(held(feet) - self.positions.value[:, None])
        return dataclasses.replace(self, feet=feet, legs=legs_held)


def rows_of(ids: Ints, known: Ints) -> list[int]:
    """Where each of ``ids`` (P,) is in ``known`` (N,); -1: absent, as an untracked person always is."""
    position = {track_id: row for row, track_id in enumerate(known.tolist())}
    return [position.get(track_id, -1) for track_id in ids.tolist()]


def last_of(known: BodyTracks, last: Int64s, now: BodyTracks) -> BodyTracks:
    """Tracks as they were before ``now``: rows ``last`` (N,) of those ``known``; -1: as they are now."""
    if (last >= 0).all():
        return known.take(last)
    rows = np.where(last >= 0, last, len(known) + np.arange(len(last)))
    return join_rows([known, now]).take(rows)


def with_others(seen: BodyTracks, known: BodyTracks, last: Int64s) -> BodyTracks:
    """Those of the ``known`` tracks that are in none of the rows ``last`` (N,), then those ``seen``."""
    others = np.ones(len(known), np.bool_)
    others[last[last >= 0]] = False
    return join_rows([known.take(others), seen]) if others.any() else seen
