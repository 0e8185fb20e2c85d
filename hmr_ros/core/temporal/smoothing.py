# SPDX-License-Identifier: Apache-2.0
"""Causal smoothing of tracked bodies: positions by a Kalman filter (root_motion), rotations by the one-euro filter
(one_euro), the shape by its mean.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np

from hmr_ros.core.arrays import Bools, Floats, Ints
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.config import SmoothingConfig
from hmr_ros.core.fitting.legs import LEGS
from hmr_ros.core.geometry.camera_motion import CameraPose
from hmr_ros.core.geometry.ground import Ground
from hmr_ros.core.geometry.keypoints import Keypoints
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec
from hmr_ros.core.people import UNTRACKED, Estimates
from hmr_ros.core.skeleton import SMPL_PARENTS, JointSet
from hmr_ros.core.temporal.body_tracks import BodyTracks, last_of, rows_of, with_others
from hmr_ros.core.temporal.coasting import coasted, pose_drift
from hmr_ros.core.temporal.doubting import Claims
from hmr_ros.core.temporal.forecasting import JointChanges, Walks
from hmr_ros.core.temporal.root_motion import RootMotion
from hmr_ros.core.temporal.shape import seen_shape
from hmr_ros.core.uncertainty import Calibration, Covariances, grown


class BodySmoother:
    """Smooths each tracked body over time; call it with estimates in the order of their stamps.

    Pose and position are filtered, the shape is averaged and then kept. The body is posed from the result, so mesh,
    joints and parameters agree exactly and bones keep their lengths, which filtered vertices would not grant.
    ``config`` may be replaced between calls; with a ``min_cutoff`` of 0 only the shape is smoothed. Poses pass as they
    are unless it ``filters_pose``. It reads keypoints of the ``joint_set``; None: none.
    """

    joint_set: JointSet | None = None

    def __init__(self, body_model: BodyModel, config: SmoothingConfig | None = None) -> None:
        self.config = config or SmoothingConfig()
        self.filters_pose = True
        self._body_model = body_model
        self._tracks = BodyTracks.empty()
        self._doubted: Ints = np.zeros(0, np.int64)

    def calibration(self, of_estimator: Calibration | None) -> Calibration | None:
        """What the covariances of smoothed bodies mean: the same as those of the estimator."""
        return of_estimator

    def reset(self) -> None:
        """Forget all tracks."""
        self._tracks, self._doubted = BodyTracks.empty(), np.zeros(0, np.int64)

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
        keypoints: Keypoints | None = None,
    ) -> Estimates:
        """``estimates`` of the people ``ids`` (P,), smoothed; rows that are not ``valid`` pass unchanged.

        ``pose`` of the camera, by which its motion since earlier images cancels; None: it stood still. ``keypoints`` of
        the ``joint_set`` in this image, which fused poses are put back on; None: they are not.

        One camera sees directions, not sizes: a person of a larger mean shape than in this image was farther away in
        it, too, and is scaled about the camera, so that the body stays on its keypoints. Not so where the distance was
        ``measured`` (P,), as by depth; None: for no person. Views that do not show ``faces`` (P,) say little about the
        shape; None: all do.
        """
        estimates = self._fused(ids, estimates, stamp_s, pose, keypoints)
        known = self._tracks.take(self._tracks.stamp_s <= stamp_s).carried(pose)
        valid = estimates.valid
        now = BodyTracks.started(ids[valid], estimates.take(valid), stamp_s, pose)
        last = np.array(rows_of(now.ids, known.ids), np.int64)
        before = last_of(known, last, now)
        free = np.ones(len(now), np.bool_) if measured is None else ~measured[valid]
        shown = np.ones(len(now), np.bool_) if faces is None else faces[valid]
        shaped = self._shaped(before, now, free, shown)
        seen = before.updated(shaped, self.config, filters_pose=self.filters_pose)
        if self.config.root_noise:
            rest = self._body_model.rest_joints(seen.betas).astype(np.float64)
            seen = seen.standing(before, rest, self.config.root_noise)
        self._tracks = with_others(seen.take(seen.ids != UNTRACKED), known, last)
        return estimates.with_rows(valid, self._smoothed(estimates.take(valid), seen))

    def _smoothed(self, estimates: Estimates, seen: BodyTracks) -> Estimates:
        """``estimates`` with the parameters of the tracks ``seen``; of poses that nothing filters, the legs alone."""
        if self.filters_pose:
            return _with_parameters(estimates, seen)
        body_pose = estimates.body_pose.copy()
        body_pose[:, LEGS - 1] = rotmat_to_rotvec(seen.legs)
        return dataclasses.replace(estimates, body_pose=body_pose, betas=seen.betas, cam_t=seen.positions.value)

    def _fused(
        self, ids: Ints, estimates: Estimates, stamp_s: float, pose: CameraPose | None, keypoints: Keypoints | None
    ) -> Estimates:
        """``estimates`` with their poses by earlier ones, where something fuses them."""
        return estimates

    def _shaped(self, before: BodyTracks, now: BodyTracks, free: Bools, faces: Bools) -> BodyTracks:
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
        self,
        ids: Ints,
        estimates: Estimates,
        growth: Floats,
        covered: Bools,
        stamp_s: float,
        pose: CameraPose | None = None,
    ) -> Floats:
        """(P,) s since the last image that was smoothed, of the people ``ids`` (P,) whose ``estimates`` contradict it.

        0 for all others. ``growth`` (P,): sizes over those that depth or the ground know, NaN: neither does;
        ``covered`` (P,): by another person in part; ``pose`` of the camera, as in a call.
        """
        known = self._tracks.take(self._tracks.stamp_s < stamp_s)
        last = np.array(rows_of(ids, known.ids), np.int64)
        rows = np.flatnonzero((last >= 0) & estimates.valid)
        tracks, now, out = known.take(last[rows]), estimates.take(rows), np.zeros(len(ids))
        if len(rows):
            unseen_s, by_looks = stamp_s - tracks.stamp_s, self._size(now.betas) / self._size(tracks.betas)
            growth = np.where(np.isfinite(growth[rows]), growth[rows], by_looks)
            position = now.cam_t.astype(np.float64) / growth[:, None]
            expected = tracks.expected(unseen_s, pose)
            hidden = covered[rows] | np.isin(tracks.ids, self._doubted)
            claims = Claims(position, expected, growth, hidden, tracks.images, unseen_s)
            out[rows] = np.where(claims.contradict(), unseen_s, 0)
        self._doubted = ids[out > 0]
        return out

    def coasted(self, ids: Ints, stamp_s: float, ground: Ground | None = None) -> Estimates:
        """Estimates of the tracks ``ids`` (P,), which are not seen now: the last pose, moved at the last velocity.

        In the optical frame of the image that was smoothed last, as far as the camera's motion is known. Where there is
        a ``ground`` they move along it.
        Their uncertainty grows with time (core/temporal/coasting.py); not ``valid`` for tracks without any estimate.
        """
        rows = np.array(rows_of(ids, self._tracks.ids), np.int64)
        tracks = self._tracks.take(rows[rows >= 0])
        known = _with_parameters(Estimates.unknown(len(tracks)), tracks)
        unseen_s, velocities = stamp_s - tracks.stamp_s, tracks.velocities
        if ground is not None:
            velocities = ground.along(velocities)
        covariances = grown(Covariances(tracks.joint_covariance, tracks.root_covariance), unseen_s)
        expected = dataclasses.replace(
            known,
            cam_t=coasted(tracks.positions.value, velocities, unseen_s),
            joint_error=np.hypot(tracks.joint_error, pose_drift(unseen_s)),
            joint_covariance=covariances.joints,
            root_covariance=covariances.root,
            valid=np.ones(len(unseen_s), np.bool_),
        )
        return Estimates.unknown(len(ids)).with_rows(rows >= 0, expected)

    def walks(self, ids: Ints) -> Walks:
        """How the tracks ``ids`` (P,) moved when they were last seen; in the frame of ``coasted``."""
        rows = np.array(rows_of(ids, self._tracks.ids), np.int64)
        tracks = self._tracks.take(rows[rows >= 0])
        return Walks.unknown(len(ids)).with_rows(rows >= 0, Walks.of(tracks.positions, tracks.velocities))

    def velocities(self, ids: Ints) -> Floats:
        """(P, 3) m/s of the roots of the tracks ``ids`` (P,), as filtered, noise and all; NaN where there is none."""
        rows = np.array(rows_of(ids, self._tracks.ids), np.int64)
        velocities = np.full((len(ids), 3), np.nan)
        velocities[rows >= 0] = self._tracks.positions.velocity[rows[rows >= 0]]
        return velocities

    def changes(self, ids: Ints) -> JointChanges:
        """How the joints of the tracks ``ids`` (P,) are expected to move; nothing is known here: poses are held."""
        return JointChanges.unknown(len(ids))


def _with_parameters(estimates: Estimates, tracks: BodyTracks) -> Estimates:
    """``estimates`` with the parameters that ``tracks`` have."""
    rotations = tracks.rotations.value.copy()
    rotations[:, LEGS] = tracks.legs
    pose = rotmat_to_rotvec(rotations)
    return dataclasses.replace(
        estimates, global_orient=pose[:, 0], body_pose=pose[:, 1:], betas=tracks.betas, cam_t=tracks.positions.value
    )
