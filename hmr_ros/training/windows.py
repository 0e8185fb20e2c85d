# SPDX-License-Identifier: Apache-2.0
"""Windows of lifted sequences, three of neighbouring images at a time, as training steps of the fusion over time."""

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

NEIGHBOURS = 3
"""Windows of as many images, one after another: the fewest whose second difference can be learnt."""

_SLOW_S = 0.5
"""Half the time over which an error is averaged to be called slow."""

_MEAN_SHAPE = np.zeros((1, 10))


@dataclass(frozen=True, eq=False)
class Windows:
    """``poses`` of 3 B windows, those of an image and of the two before it in a row, with the ground truth; metres.

    In the axes of each window's virtual camera: ``rotations`` (3 B, 24, 3, 3) true, ``future`` (3 B, 3, 24, 3) true
    joints around the pelvis. ``future_known`` (3 B, 3); ``usable`` (3 B,) windows whose newest image has an estimate;
    ``rest`` (3 B, 24, 3) true joints at rest, and ``seen_rest`` those of the shape as estimated by then;
    ``world_from_virtual`` (3 B, 3, 3); ``slow_error`` (3 B, 24, 3) of the single images, as in Prepared; ``stamp``
    (3 B,) s.
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
    stamp: Floats


@dataclass(frozen=True, eq=False)
class Prepared(Record):
    """Lifted sequences as windows need them: ``pose`` and ``true_pose`` (S, T, 24, 3, 3), ``camera`` (S, T, 3, 3).

    ``joints`` (S, T, 24, 3) m of ``pose`` and the mean shape, in the axes of the root; ``shape`` (S, T, 10): the mean
    of each person by every image; ``slow_error`` (S, T, 24, 3) m, world axes: what is wrong with the joints of single
    images for a second or longer, such as a body that is turned too far.
    """

    lifted: Lifted
    pose: Float32s
    joints: Floats
    true_pose: Float32s
    camera: Float32s
    shape: Float32s
    slow_error: Float32s


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
    return Prepared(lifted, pose, joints, true_pose, camera, shape.astype(np.float32), slow)


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


class WindowSampler:
    """Draws windows from sequences; ``body`` gives their skeletons."""

    def __init__(self, sequences: Prepared, body: BodyModel, young: float, still: float) -> None:
        self._sequences, self._body, self._young, self._still = sequences, body, young, still
        usable = sequences.lifted.valid & sequences.lifted.known[..., 0]
        usable[:, : NEIGHBOURS - 1] = False
        self._places = np.argwhere(usable)

    def sample(self, rng: Generator, count: int) -> Windows:
        """The windows of ``count`` images and of the two before each."""
        place = self._places[rng.integers(len(self._places), size=count)]
        age = np.where(rng.random(count) < self._young, rng.integers(0, 6, count), place[:, 1])
        first = place[:, 1] - age
        still = rng.random(count) < self._still
        row, newest = np.repeat(place[:, 0], NEIGHBOURS), np.repeat(place[:, 1], NEIGHBOURS)
        newest = newest - np.tile(np.arange(NEIGHBOURS)[::-1], count)
        return self.at(row, newest, np.repeat(first, NEIGHBOURS), np.repeat(still, NEIGHBOURS))

    def at(self, row: Int64s, newest: Int64s, first: Int64s, still: Bools) -> Windows:
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
            usable=usable,
            rest=self._body.rest_joints(lifted.true_betas[row]),
            seen_rest=self._body.rest_joints(q.shape[row, newest]),
            world_from_virtual=camera.swapaxes(-1, -2) @ back,
            slow_error=q.slow_error[row, newest],
            stamp=lifted.stamps[row, newest],
        )

    def _chosen(self, row: Int64s, newest: Int64s, first: Int64s) -> tuple[Int64s, Bools]:
        """The images of each window (N, 8), and which there are; the newest is always the first."""
        lifted = self._sequences.lifted
        number = np.arange(lifted.stamps.shape[1])
        open_ = lifted.valid[row] & (number <= newest[:, None]) & (number >= first[:, None])
        open_[np.arange(len(row)), newest] = True
        ages = lifted.stamps[row, newest][:, None] - lifted.stamps[row]
        return chosen_images(np.where(open_, ages, np.nan))
