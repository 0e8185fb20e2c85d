# SPDX-License-Identifier: Apache-2.0
"""Windows of lifted sequences, in runs of neighbouring images, as training steps of the fusion over time.

The fusion reads its own last answers, so runs come in order: each goes on where the one before it ended.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from hmr_ros.core.arrays import Bools, Float32s, Floats, Int64s
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.body.skinning import chained_joints, world_rotations
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.records import Record
from hmr_ros.core.skeleton import SMPL
from hmr_ros.core.temporal.pose_window import PoseWindows, chosen_images, joints_in_body, pose_windows
from hmr_ros.training.datasets.motion import mirror
from hmr_ros.training.lifted import Lifted

RUN = 6
"""Images of a run, through which errors are led back to earlier answers."""

_SLOW_S = 0.5
"""Half the time over which an error is averaged to be called slow."""

_MEAN_SHAPE = np.zeros((1, 10))


@dataclass(frozen=True, eq=False)
class Windows:
    """``poses`` of N windows with the ground truth; metres.

    In the axes of each window's virtual camera: ``rotations`` (N, 24, 3, 3) true, ``future`` (N, 3, 24, 3) true joints
    around the pelvis. ``future_known`` (N, 3); ``usable`` (N,) windows whose newest image has an estimate; ``rest``
    (N, 24, 3) true joints at rest, and ``seen_rest`` those of the shape as estimated by then; ``world_from_virtual``
    (N, 3, 3); ``slow_error`` and ``velocity`` (N, 24, 3), as in Prepared; ``interval`` (N,) s since the image before;
    ``newest`` (N,) and ``number`` (N, 8) of the images in their sequences; ``begins`` (N,): of a run that begins.
    """

    poses: PoseWindows
    rotations: Float32s
    future: Float32s
    future_known: Bools
    usable: Bools
    rest: Floats
    seen_rest: Floats
    world_from_virtual: Floats
    slow_error: Float32s
    velocity: Float32s
    interval: Floats
    newest: Int64s
    number: Int64s
    begins: Bools


@dataclass(frozen=True, eq=False)
class Prepared(Record):
    """Lifted sequences as windows need them: ``pose`` and ``true_pose`` (S, T, 24, 3, 3), ``camera`` (S, T, 3, 3).

    ``joints`` (S, T, 24, 3) m of ``pose`` and the mean shape, in the axes of the root; ``shape`` (S, T, 10): the mean
    of each person by every image; ``slow_error`` (S, T, 24, 3) m, world axes: what is wrong with the joints of single
    images for a second or longer, such as a body that is turned too far; ``velocity`` (S, T, 24, 3) m/s of the true
    joints, world axes; ``rest`` (S, 24, 3) m true joints at rest.
    """

    lifted: Lifted
    pose: Float32s
    joints: Floats
    true_pose: Float32s
    camera: Float32s
    shape: Float32s
    slow_error: Float32s
    velocity: Float32s
    rest: Floats


def prepared(lifted: Lifted, body: BodyModel) -> Prepared:
    """What windows need of ``lifted``; ``body`` gives the skeletons."""
    valid = lifted.valid[..., None]
    shape = np.cumsum(lifted.betas * valid, 1) / np.maximum(np.cumsum(valid, 1), 1)
    pose, true_pose, camera = (
        rotvec_to_rotmat(a).astype(np.float32) for a in (lifted.pose, lifted.true_pose, lifted.camera)
    )
    rest = body.rest_joints(lifted.true_betas)[:, None]
    found, true = (chained_joints(world_rotations(rotations), rest) @ camera for rotations in (pose, true_pose))
    slow = _moving_mean((found - true).astype(np.float32), lifted.stamps, lifted.valid)
    joints = joints_in_body(pose, body.rest_joints(_MEAN_SHAPE)[0])
    velocity = _velocities(true.astype(np.float32), lifted.stamps)
    return Prepared(lifted, pose, joints, true_pose, camera, shape.astype(np.float32), slow, velocity, rest[:, 0])


def _velocities(joints: Float32s, stamps: Floats) -> Float32s:
    """(S, T, 24, 3) m/s from image to image; zeros of the first."""
    moved = np.diff(joints, axis=1) / np.diff(stamps, axis=1)[..., None, None]
    return np.concatenate([np.zeros_like(moved[:, :1]), moved], 1).astype(np.float32)


def _moving_mean(values: Float32s, stamps: Floats, valid: Bools) -> Float32s:
    """Means of ``values`` (S, T, ...) over the ``valid`` images of the second around each."""
    near = (np.abs(stamps[:, :, None] - stamps[:, None]) <= _SLOW_S) & valid[:, None]
    weight = near / np.maximum(near.sum(-1, keepdims=True), 1)
    mean = weight.astype(np.float32) @ values.reshape(*stamps.shape, -1)
    return np.asarray(mean.reshape(values.shape), np.float32)


def mirrored(lifted: Lifted) -> Lifted:
    """``lifted`` as a mirror shows it: left and right exchanged."""
    pose, cam_t = mirror(lifted.pose, lifted.cam_t)
    true_pose, _ = mirror(lifted.true_pose, lifted.cam_t)
    return dataclasses.replace(
        lifted,
        pose=pose,
        true_pose=true_pose,
        cam_t=cam_t,
        joint_error=lifted.joint_error[..., SMPL.mirror],
        seen=lifted.seen[..., SMPL.mirror],
        future=lifted.future[..., SMPL.mirror, :] * np.array([-1, 1, 1], lifted.future.dtype),
        camera=lifted.camera * np.array([1, -1, -1], np.float32),
    )


@dataclass(frozen=True, eq=False)
class _Places(Record):
    """Where B runs go on: ``image`` of the sequence ``row`` (B,).

    The track begins at the image ``first`` (B,); cameras that are ``still`` (B,) are taken not to turn.
    """

    row: Int64s
    image: Int64s
    first: Int64s
    still: Bools

    def later(self) -> _Places:
        """Of the runs that follow."""
        return dataclasses.replace(self, image=self.image + RUN)


class WindowSampler:
    """Draws windows from sequences; ``body`` gives their skeletons. It remembers where its runs have come to."""

    def __init__(self, sequences: Prepared, body: BodyModel, still: float) -> None:
        self._sequences, self._body, self._still = sequences, body, still
        self._next: _Places | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Sequences, and images of each."""
        people, images = self._sequences.lifted.stamps.shape
        return people, images

    def sample(self, rng: Generator, count: int) -> Windows:
        """The next run of each of ``count`` sequences, image after image: (B x RUN) windows.

        The first ones begin anywhere in their sequences, later ones near their beginnings.
        """
        images = self.shape[1]
        if self._next is None or len(self._next.row) != count:
            places, begins = self._new(rng, count, images - RUN), np.ones(count, np.bool_)
        else:
            begins = self._next.image + RUN > images
            places = self._next.with_rows(begins, self._new(rng, int(begins.sum()), RUN))
        self._next = places.later()
        return self._runs(places, begins)

    def _new(self, rng: Generator, count: int, latest: int) -> _Places:
        first = rng.integers(0, min(latest, self.shape[1] - RUN) + 1, count)
        return _Places(rng.integers(0, len(self._sequences), count), first, first, rng.random(count) < self._still)

    def of_run(self, row: Int64s, image: Int64s, begins: bool) -> Windows:
        """Runs from the images ``image`` (B,) on, of people ``row`` (B,) who were seen from their first image on."""
        places = _Places(row, image, np.zeros_like(row), np.zeros(len(row), np.bool_))
        return self._runs(places, np.full(len(row), begins))

    def _runs(self, places: _Places, begins: Bools) -> Windows:
        run = np.repeat(np.arange(len(begins)), RUN)
        each = places.take(run)
        newest = each.image + np.tile(np.arange(RUN), len(begins))
        return self.at(each.row, newest, each.first, each.still, begins[run])

    def at(self, row: Int64s, newest: Int64s, first: Int64s, still: Bools, begins: Bools) -> Windows:
        """Windows of the sequences ``row`` (N,) at the images ``newest`` (N,), on images from ``first`` (N,) on.

        The cameras of those that are ``still`` (N,) are taken not to turn.
        """
        q, lifted = self._sequences, self._sequences.lifted
        number, filled = self._chosen(row, newest, first)
        rows = row[:, None]
        camera = q.camera[row, newest]
        turned = camera[:, None] @ q.camera[rows, number].swapaxes(-1, -2)
        usable = lifted.valid[row, newest] & (newest >= first)
        cam_t = np.where(usable[:, None], lifted.cam_t[row, newest], [0, 0, 1]).astype(np.float32)
        poses = pose_windows(
            rotations=q.pose[rows, number],
            joints=q.joints[rows, number],
            joint_error=lifted.joint_error[rows, number],
            age=lifted.stamps[rows, newest[:, None]] - lifted.stamps[rows, number],
            filled=filled,
            now_from_then=np.where(still[:, None, None, None], np.eye(3), turned).astype(np.float32),
            cam_t=cam_t,
        )
        back = poses.optical_from_virtual
        true = q.true_pose[row, newest].copy()
        true[:, 0] = back.swapaxes(-1, -2) @ true[:, 0]
        return Windows(
            poses=poses,
            rotations=true,
            future=(lifted.future[row, newest].astype(np.float32) @ back[:, None]).astype(np.float32),
            future_known=lifted.known[row, newest, 1:],
            usable=usable & lifted.known[row, newest, 0],
            rest=q.rest[row],
            seen_rest=self._body.rest_joints(q.shape[row, newest]),
            world_from_virtual=camera.swapaxes(-1, -2) @ back,
            slow_error=q.slow_error[row, newest],
            velocity=q.velocity[row, newest],
            interval=lifted.stamps[row, newest] - lifted.stamps[row, np.maximum(newest - 1, 0)],
            newest=newest,
            number=number,
            begins=begins,
        )

    def _chosen(self, row: Int64s, newest: Int64s, first: Int64s) -> tuple[Int64s, Bools]:
        """The images of each window (N, 8), and which there are; the newest is always the first."""
        lifted = self._sequences.lifted
        number = np.arange(lifted.stamps.shape[1])
        open_ = lifted.valid[row] & (number <= newest[:, None]) & (number >= first[:, None])
        open_[np.arange(len(row)), newest] = True
        ages = lifted.stamps[row, newest][:, None] - lifted.stamps[row]
        return chosen_images(np.where(open_, ages, np.nan))
