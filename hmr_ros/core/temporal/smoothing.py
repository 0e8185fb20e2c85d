# SPDX-License-Identifier: Apache-2.0
"""Causal smoothing of tracked bodies: positions by a Kalman filter (root_motion), rotations by the one-euro filter
(one_euro), the shape by its mean.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Bools, Floats, Int64s, Ints
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.config import SmoothingConfig
from hmr_ros.core.fitting.legs import ANKLES, LEGS, Legs
from hmr_ros.core.geometry.camera_motion import CameraPose, CameraPoses
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.people import UNTRACKED, Estimates
from hmr_ros.core.records import Record, join_rows
from hmr_ros.core.skeleton import SMPL_PARENTS
from hmr_ros.core.temporal.coasting import VELOCITY_MEMORY_S, coasted, pose_drift
from hmr_ros.core.temporal.doubting import Claims
from hmr_ros.core.temporal.footing import held, measured_feet, unknown_feet
from hmr_ros.core.temporal.forecasting import JointChanges, Walks
from hmr_ros.core.temporal.one_euro import Filtered, filter_rotations, rotations_at_rest
from hmr_ros.core.temporal.root_motion import RootMotion
from hmr_ros.core.temporal.shape import SHAPE_VIEWS as SHAPE_VIEWS
from hmr_ros.core.temporal.shape import seen_shape
from hmr_ros.core.temporal.velocity import MAX_GAP_S, filtered_velocity
from hmr_ros.core.uncertainty import Calibration, Covariances, grown


@dataclass(frozen=True, eq=False)
class _Tracks(Record):
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
    def started(ids: Ints, estimates: Estimates, stamp_s: float, pose: CameraPose | None = None) -> _Tracks:
        """Tracks ``ids`` (N,) at rest where ``estimates`` of N people, all valid, are, in the image of ``pose``."""
        rotvec = np.concatenate([estimates.global_orient[:, None], estimates.body_pose], 1).astype(np.float64)
        people, rotations = len(ids), rotvec_to_rotmat(rotvec)
        return _Tracks(
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
    def empty() -> _Tracks:
        return _Tracks.started(np.zeros(0, np.int64), Estimates.unknown(0), 0.0)

    def carried(self, pose: CameraPose | None) -> _Tracks:
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

    def updated(self, now: _Tracks, config: SmoothingConfig, *, filters_pose: bool) -> _Tracks:
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
        moved_on = dataclasses.replace(now, velocities=velocities, positions=positions, rotations=rotations)
        return dataclasses.replace(moved_on, legs=rotations.value[:, LEGS], images=self.images + 1)

    def standing(self, last: _Tracks, rest: Floats, noise: float) -> _Tracks:
        """The same people with their feet held where they stand; ``last``: before this image, ``rest`` (N, 24, 3) m."""
        legs = Legs.posed(self.rotations.value, rest)
        covariance = self.joint_covariance[:, ANKLES] + self.root_covariance[:, None]
        now = RootMotion.begun(self.positions.value[:, None] + legs.ankle, covariance)
        dt = self.stamp_s - last.stamp_s
        begins = (dt <= 0) | (dt > MAX_GAP_S)
        feet = measured_feet(last.feet.replaced(begins, now), now, covariance, np.where(begins, 1.0, dt), noise)
        legs_held = legs.reaching(held(feet) - self.positions.value[:, None])
        return dataclasses.replace(self, feet=feet, legs=legs_held)


class BodySmoother:
    """Smooths each tracked body over time; call it with estimates in the order of their stamps.

    Pose and position are filtered, the shape is averaged and then kept. The body is posed from the result, so mesh,
    joints and parameters agree exactly and bones keep their lengths, which filtered vertices would not grant.
    ``config`` may be replaced between calls; with a ``min_cutoff`` of 0 only the shape is smoothed. Poses pass as they
    are unless it ``filters_pose``.
    """

    def __init__(self, body_model: BodyModel, config: SmoothingConfig | None = None) -> None:
        self.config = config or SmoothingConfig()
        self.filters_pose = True
        self._body_model = body_model
        self._tracks = _Tracks.empty()

    def calibration(self, of_estimator: Calibration | None) -> Calibration | None:
        """What the covariances of smoothed bodies mean: the same as those of the estimator."""
        return of_estimator

    def reset(self) -> None:
        """Forget all tracks."""
        self._tracks = _Tracks.empty()

    def forget(self, ids: Iterable[int]) -> None:
        """Forget the tracks ``ids``."""
        if forgotten := set(ids):
            kept = [track_id not in forgotten for track_id in self._tracks.ids.tolist()]
            self._tracks = self._tracks.take(np.array(kept, np.bool_))

    def root_depths(self) -> Mapping[int, float]:
        """Depths of the tracks' roots along the optical axis, m, by id, in the last image."""
        return dict(zip(self._tracks.ids.tolist(), self._tracks.positions.value[:, 2].tolist(), strict=True))

    def sizes(self) -> Mapping[int, float]:
        """Sizes of the tracks, all bones together, m, by id."""
        return dict(zip(self._tracks.ids.tolist(), self._size(self._tracks.betas).tolist(), strict=True))

    def __call__(
        self,
        ids: Ints,
        estimates: Estimates,
        stamp_s: float,
        measured: Bools | None = None,
        pose: CameraPose | None = None,
        faces: Bools | None = None,
    ) -> Estimates:
        """``estimates`` of the people ``ids`` (P,), smoothed; rows that are not ``valid`` pass unchanged.

        ``pose`` of the camera, by which its motion since earlier images cancels; None: it stood still.

        One camera sees directions, not sizes: a person of a larger mean shape than in this image was farther away in
        it, too, and is scaled about the camera, so that the body stays on its keypoints. Not so where the distance was
        ``measured`` (P,), as by depth; None: for no person. Views that do not show ``faces`` (P,) say little about the
        shape; None: all do.
        """
        estimates = self._fused(ids, estimates, stamp_s, pose)
        known = self._tracks.take(self._tracks.stamp_s <= stamp_s).carried(pose)
        valid = estimates.valid
        now = _Tracks.started(ids[valid], estimates.take(valid), stamp_s, pose)
        last = np.array(_rows_of(now.ids, known.ids), np.int64)
        before = _last_of(known, last, now)
        free = np.ones(len(now), np.bool_) if measured is None else ~measured[valid]
        shown = np.ones(len(now), np.bool_) if faces is None else faces[valid]
        shaped = self._shaped(before, now, free, shown)
        seen = before.updated(shaped, self.config, filters_pose=self.filters_pose)
        if self.config.root_noise:
            rest = self._body_model.rest_joints(seen.betas).astype(np.float64)
            seen = seen.standing(before, rest, self.config.root_noise)
        self._tracks = _with_others(seen.take(seen.ids != UNTRACKED), known, last)
        return estimates.with_rows(valid, self._smoothed(estimates.take(valid), seen))

    def _smoothed(self, estimates: Estimates, seen: _Tracks) -> Estimates:
        """``estimates`` with the parameters of the tracks ``seen``; of poses that nothing filters, the legs alone."""
        if self.filters_pose:
            return _with_parameters(estimates, seen)
        body_pose = estimates.body_pose.copy()
        body_pose[:, LEGS - 1] = rotmat_to_rotvec(seen.legs)
        return dataclasses.replace(estimates, body_pose=body_pose, betas=seen.betas, cam_t=seen.positions.value)

    def _fused(self, ids: Ints, estimates: Estimates, stamp_s: float, pose: CameraPose | None) -> Estimates:
        """``estimates`` with their poses by earlier ones, where something fuses them."""
        return estimates

    def _shaped(self, before: _Tracks, now: _Tracks, free: Bools, faces: Bools) -> _Tracks:
        """``now`` with the shapes known by now; ``free`` (N,) are moved to where they look as large as before."""
        views, betas = seen_shape(before.views, before.betas, now.betas, now.joint_error, faces)
        scale = np.where(free, self._size(betas) / self._size(now.betas), 1)
        positions = RootMotion.begun(now.positions.raw * scale[:, None], now.root_covariance)
        return dataclasses.replace(now, views=views, betas=betas, positions=positions)

    def _size(self, betas: Floats) -> Floats:
        """(N, 10) -> (N,) m, all bones together."""
        rest = self._body_model.rest_joints(betas).astype(np.float64)
        bones = rest[:, 1:] - rest[:, SMPL_PARENTS[1:]]
        return np.asarray(np.sqrt((bones * bones).sum(-1)).sum(-1))

    def doubted(
        self, ids: Ints, estimates: Estimates, covered: Bools, stamp_s: float, pose: CameraPose | None = None
    ) -> Floats:
        """(P,) s since the last image that was smoothed, of the people ``ids`` (P,) whose ``estimates`` contradict it.

        0 for all others. ``covered`` (P,): by another person in part; ``pose`` of the camera, as in a call.
        """
        known = self._tracks.take(self._tracks.stamp_s < stamp_s).carried(pose)
        last = np.array(_rows_of(ids, known.ids), np.int64)
        rows = np.flatnonzero((last >= 0) & estimates.valid)
        tracks, now, out = known.take(last[rows]), estimates.take(rows), np.zeros(len(ids))
        if len(rows):
            unseen_s, growth = stamp_s - tracks.stamp_s, self._size(now.betas) / self._size(tracks.betas)
            expected = coasted(tracks.positions.value, tracks.velocities, unseen_s)
            position = now.cam_t.astype(np.float64) / growth[:, None]
            claims = Claims(position, expected, growth, covered[rows], tracks.images, unseen_s)
            out[rows] = np.where(claims.contradict(), unseen_s, 0)
        return out

    def coasted(self, ids: Ints, stamp_s: float) -> Estimates:
        """Estimates of the tracks ``ids`` (P,), which are not seen now: the last pose, moved at the last velocity.

        In the optical frame of the image that was smoothed last, as far as the camera's motion is known.
        Their uncertainty grows with time (core/temporal/coasting.py); not ``valid`` for tracks without any estimate.
        """
        rows = np.array(_rows_of(ids, self._tracks.ids), np.int64)
        tracks = self._tracks.take(rows[rows >= 0])
        known = _with_parameters(Estimates.unknown(len(tracks)), tracks)
        unseen_s = stamp_s - tracks.stamp_s
        covariances = grown(Covariances(tracks.joint_covariance, tracks.root_covariance), unseen_s)
        expected = dataclasses.replace(
            known,
            cam_t=coasted(tracks.positions.value, tracks.velocities, unseen_s),
            joint_error=np.hypot(tracks.joint_error, pose_drift(unseen_s)),
            joint_covariance=covariances.joints,
            root_covariance=covariances.root,
            valid=np.ones(len(unseen_s), np.bool_),
        )
        return Estimates.unknown(len(ids)).with_rows(rows >= 0, expected)

    def walks(self, ids: Ints) -> Walks:
        """How the tracks ``ids`` (P,) moved when they were last seen; in the frame of ``coasted``."""
        rows = np.array(_rows_of(ids, self._tracks.ids), np.int64)
        tracks = self._tracks.take(rows[rows >= 0])
        return Walks.unknown(len(ids)).with_rows(rows >= 0, Walks.of(tracks.positions, tracks.velocities))

    def velocities(self, ids: Ints) -> Floats:
        """(P, 3) m/s of the roots of the tracks ``ids`` (P,), as filtered, noise and all; NaN where there is none."""
        rows = np.array(_rows_of(ids, self._tracks.ids), np.int64)
        velocities = np.full((len(ids), 3), np.nan)
        velocities[rows >= 0] = self._tracks.positions.velocity[rows[rows >= 0]]
        return velocities

    def changes(self, ids: Ints) -> JointChanges:
        """How the joints of the tracks ``ids`` (P,) are expected to move; nothing is known here: poses are held."""
        return JointChanges.unknown(len(ids))


def _rows_of(ids: Ints, known: Ints) -> list[int]:
    """Where each of ``ids`` (P,) is in ``known`` (N,); -1: absent, as an untracked person always is."""
    position = {track_id: row for row, track_id in enumerate(known.tolist())}
    return [position.get(track_id, -1) for track_id in ids.tolist()]


def _last_of(known: _Tracks, last: Int64s, now: _Tracks) -> _Tracks:
    """Tracks as they were before ``now``: rows ``last`` (N,) of those ``known``; -1: as they are now."""
    if (last >= 0).all():
        return known.take(last)
    rows = np.where(last >= 0, last, len(known) + np.arange(len(last)))
    return join_rows([known, now]).take(rows)


def _with_others(seen: _Tracks, known: _Tracks, last: Int64s) -> _Tracks:
    """Those of the ``known`` tracks that are in none of the rows ``last`` (N,), then those ``seen``."""
    others = np.ones(len(known), np.bool_)
    others[last[last >= 0]] = False
    return join_rows([known.take(others), seen]) if others.any() else seen


def _with_parameters(estimates: Estimates, tracks: _Tracks) -> Estimates:
    """``estimates`` with the parameters that ``tracks`` have."""
    rotations = tracks.rotations.value.copy()
    rotations[:, LEGS] = tracks.legs
    pose = rotmat_to_rotvec(rotations)
    return dataclasses.replace(
        estimates, global_orient=pose[:, 0], body_pose=pose[:, 1:], betas=tracks.betas, cam_t=tracks.positions.value
    )
