# SPDX-License-Identifier: Apache-2.0
"""Fusion over time: each tracked person's poses of the last 0.8 s -> the pose now, by a small network.

The network has no state; what it answered to the older images is kept here, and handed in again beside them. What it
answers is a mean of what may be; knees are straightened after it (core/fitting/knees.py). Then the body is put back on
the keypoints of its image (core/fitting/keypoint_fit.py): across the line of sight these know better than any memory.
Keypoints tremble, so what they put right is smoothed (core/temporal/corrections.py).
Only what is relative to the root is fused: rotations, the root's among them, and their expected errors. Shape and
distance are left to those who know them. A person who was seen in one image only keeps the estimate.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from hmr_ros.core.arrays import Floats, Ints
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.fitting.keypoint_fit import FUSED, KeypointFit, Placed
from hmr_ros.core.fitting.knees import straightened
from hmr_ros.core.geometry.camera_motion import CameraPose
from hmr_ros.core.geometry.keypoints import Keypoints
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.manifest import ManifestError
from hmr_ros.core.people import UNTRACKED, Estimates
from hmr_ros.core.records import Record
from hmr_ros.core.skeleton import JOINT_SETS, SMPL
from hmr_ros.core.temporal.corrections import CorrectionMemory
from hmr_ros.core.temporal.forecasting import JointChanges
from hmr_ros.core.temporal.pose_history import PoseHistory, TrackPose
from hmr_ros.core.temporal.pose_window import joints_in_body
from hmr_ros.core.temporal.smoothing import BodySmoother
from hmr_ros.core.uncertainty import Calibration, seen_growth
from hmr_ros.engines.runtime import Engine

KIND = "fusion"


@dataclass(frozen=True, eq=False)
class FusedPoses(Record):
    """Poses of N tracks: ``rows`` (N,) of the estimates they belong to; optical frame, metres.

    ``rotations`` (N, 24, 3, 3), the root's to optical; ``error`` (N, 24) expected of the joints; ``forecast``
    (N, 3, 24, 3): by how much the joints will have moved around the pelvis in 0.25, 0.5 and 1 s, with the expected
    ``forecast_error`` (N, 3, 24) of where they will be then.
    """

    rows: Ints
    rotations: Floats
    error: Floats
    forecast: Floats
    forecast_error: Floats

    def straightened(self, rest: Floats, cam_t: Floats) -> FusedPoses:
        """With knees as straight as they may be; ``rest`` (N, 24, 3) m and ``cam_t`` (N, 3) m of the people."""
        sight = cam_t / np.linalg.norm(cam_t, axis=-1, keepdims=True)
        return dataclasses.replace(self, rotations=straightened(self.rotations, rest, self.error, sight))

    @staticmethod
    def none() -> FusedPoses:
        """No track has been seen before."""
        joints = SMPL.size
        return FusedPoses(
            np.zeros(0, np.int64),
            np.zeros((0, joints, 3, 3)),
            np.zeros((0, joints)),
            np.zeros((0, 3, joints, 3)),
            np.zeros((0, 3, joints)),
        )

    def instead_of(self, estimates: Estimates, growth: Floats | float = 1.0) -> Estimates:
        """``estimates`` of the N people with these poses; ``growth`` (N, 1) of the joints' deviations besides."""
        pose = rotmat_to_rotvec(self.rotations)
        growth = (growth * self.error / estimates.joint_error) ** 2
        return dataclasses.replace(
            estimates,
            global_orient=pose[:, 0],
            body_pose=pose[:, 1:],
            joint_error=self.error,
            joint_covariance=estimates.joint_covariance * growth[..., None, None],
        )


class PoseFusion:
    """Fuses the poses of tracks; call it with estimates in the order of their stamps."""

    joint_set = JOINT_SETS["coco_feet"]
    """The keypoints that bodies are put back on."""

    def __init__(self, engine: Engine, body_model: BodyModel) -> None:
        """Raises ManifestError for another network."""
        if engine.manifest.kind != KIND:
            raise ManifestError(
                f"manifest {engine.manifest.name!r}: expected kind {KIND}, got {engine.manifest.kind!r}"
            )
        self._engine = engine
        self._history, self._corrections = PoseHistory(), CorrectionMemory()
        self._mean_rest = body_model.rest_joints(np.zeros((1, 10)))[0]
        self._fit = KeypointFit(body_model, self.joint_set.name, FUSED)

    def calibration(self, of_estimator: Calibration | None) -> Calibration | None:
        """What the covariances mean of poses that an estimator with the calibration ``of_estimator`` estimated.

        A fused joint's covariance has the shape of the single image's; how it grows with the keypoints that are seen,
        its radii, and forecasts, are the fusion's own.
        """
        own = self._engine.manifest.uncertainty
        if not (own and of_estimator):
            return None
        return dataclasses.replace(
            of_estimator, joint_radii=own.joint_radii, forecast=own.forecast, seen_power=own.seen_power
        )

    def reset(self) -> None:
        """Forget all tracks."""
        self._history.reset()
        self._corrections.reset()

    def forget(self, ids: Iterable[int]) -> None:
        """Forget the tracks ``ids``."""
        ids = tuple(ids)
        self._history.forget(ids)
        self._corrections.forget(ids)

    def __call__(
        self,
        ids: Ints,
        estimates: Estimates,
        stamp_s: float,
        optical_from_fixed: Floats | None = None,
        keypoints: Keypoints | None = None,
    ) -> Estimates:
        """``estimates`` of the people ``ids`` (P,), fused with their earlier ones; invalid rows pass unchanged.

        ``optical_from_fixed`` (P, 3, 3): how each person's camera is turned against a frame that does not turn, so that
        its own turning is no motion of the people; None: unknown, it is taken to stand still. ``keypoints`` of the
        ``joint_set`` in this image; None: bodies stay where the fusion puts them.
        """
        poses = self.fused(ids, estimates, stamp_s, optical_from_fixed)
        return self.instead_of(ids, estimates, poses, stamp_s, keypoints)

    def instead_of(
        self, ids: Ints, estimates: Estimates, poses: FusedPoses, stamp_s: float, keypoints: Keypoints | None
    ) -> Estimates:
        """``estimates`` with the fused ``poses``, on the ``keypoints`` where these are given."""
        rows = poses.rows
        if keypoints is None or not len(rows):
            return estimates.with_rows(rows, poses.instead_of(estimates.take(rows)))
        seen = keypoints.take(rows)
        fused = poses.instead_of(estimates.take(rows), self._growth(seen))
        return estimates.with_rows(rows, self._on_keypoints(ids[rows], fused, stamp_s, seen))

    def _growth(self, keypoints: Keypoints) -> Floats:
        """(N, 1) of the deviations of joints, by how many ``keypoints`` of the joint set are seen."""
        own = self._engine.manifest.uncertainty
        return seen_growth(keypoints.fraction_seen, own.seen_power if own else 0.0)[:, None]

    def _on_keypoints(self, ids: Ints, fused: Estimates, stamp_s: float, keypoints: Keypoints) -> Estimates:
        """Bodies rotated and moved to their ``keypoints``, as far as these stay; their distance is kept."""
        start = Placed(fused.global_orient, fused.body_pose, fused.cam_t)
        smoothed = functools.partial(self._corrections, ids, stamp_s)
        placed = self._fit(start, fused.betas, keypoints, fused.cam_t[:, 2], smoothed)
        return dataclasses.replace(
            fused, global_orient=placed.global_orient, body_pose=placed.body_pose, cam_t=placed.cam_t
        )

    def fused(
        self, ids: Ints, estimates: Estimates, stamp_s: float, optical_from_fixed: Floats | None = None
    ) -> FusedPoses:
        """What the network makes of the tracks that have been seen before; the arguments are those of a call."""
        rotations = rotvec_to_rotmat(np.concatenate([estimates.global_orient[:, None], estimates.body_pose], 1))
        rows = self._remembered(ids, estimates, rotations, stamp_s, optical_from_fixed)
        if not len(rows):
            return FusedPoses.none()
        windows, published = self._history.windows(ids[rows], estimates.cam_t[rows])
        outputs = self._engine.run(windows.inputs(published))
        back = windows.optical_from_virtual
        fused = outputs["fused"].astype(np.float64)
        fused[:, 0] = back @ fused[:, 0]
        self._history.publish(ids[rows], fused)
        forecast = outputs["forecast"] @ back[:, None].swapaxes(-1, -2)
        poses = FusedPoses(rows, fused, outputs["fused_error"], forecast, outputs["forecast_error"])
        rest = np.broadcast_to(self._mean_rest.astype(np.float64), (len(rows), *self._mean_rest.shape))
        return poses.straightened(rest, estimates.cam_t[rows])

    def _remembered(
        self, ids: Ints, estimates: Estimates, rotations: Floats, stamp_s: float, optical_from_fixed: Floats | None
    ) -> Ints:
        """(N,) rows of the tracks that now have a history, after it has taken in their newest poses."""
        joints, rows = joints_in_body(rotations, self._mean_rest), np.zeros(len(ids), np.bool_)
        for row in np.flatnonzero(estimates.valid & (ids != UNTRACKED)):
            turned = None if optical_from_fixed is None else optical_from_fixed[row]
            pose = TrackPose.of_image(stamp_s, rotations[row], joints[row], estimates.joint_error[row], turned)
            rows[row] = self._history.add(int(ids[row]), pose) > 1
        return np.flatnonzero(rows)


class FusingSmoother(BodySmoother):
    """A smoother whose poses are fused by a network instead of filtered; positions and shapes are smoothed alike."""

    def __init__(self, body_model: BodyModel, fusion: PoseFusion) -> None:
        super().__init__(body_model)
        self.filters_pose, self.joint_set = False, fusion.joint_set
        self._fusion = fusion
        self._segment: int | None = None
        self._changes: tuple[Ints, JointChanges] = (np.zeros(0, np.int64), JointChanges.unknown(0))

    def calibration(self, of_estimator: Calibration | None) -> Calibration | None:
        """What the covariances of fused bodies mean."""
        return self._fusion.calibration(of_estimator)

    def reset(self) -> None:
        """Forget all tracks."""
        super().reset()
        self._fusion.reset()
        self._changes = (np.zeros(0, np.int64), JointChanges.unknown(0))

    def forget(self, ids: Iterable[int]) -> None:
        """Forget the tracks ``ids``."""
        ids = tuple(ids)
        super().forget(ids)
        self._fusion.forget(ids)

    def changes(self, ids: Ints) -> JointChanges:
        """How the joints of those of the tracks ``ids`` (P,) are expected to move that were fused in the last image."""
        fused, changes = self._changes
        row_of = {track_id: row for row, track_id in enumerate(fused.tolist())}
        rows = np.array([row_of.get(track_id, -1) for track_id in ids.tolist()], np.int64)
        return JointChanges.unknown(len(ids)).with_rows(rows >= 0, changes.take(rows[rows >= 0]))

    def _fused(
        self, ids: Ints, estimates: Estimates, stamp_s: float, pose: CameraPose | None, keypoints: Keypoints | None
    ) -> Estimates:
        poses = self._fusion.fused(ids, estimates, stamp_s, self._turning(pose, len(ids)))
        self._changes = ids[poses.rows], JointChanges(poses.forecast, poses.forecast_error)
        return self._fusion.instead_of(ids, estimates, poses, stamp_s, keypoints)

    def _turning(self, pose: CameraPose | None, count: int) -> Floats | None:
        """(P, 3, 3) optical from the world, which is another one after a jump: poses before it are forgotten."""
        if pose is None:
            return None
        if pose.segment != self._segment:
            self._segment = pose.segment
            self._fusion.reset()
        return np.tile(pose.world_from_optical.rotation.T, (count, 1, 1))
