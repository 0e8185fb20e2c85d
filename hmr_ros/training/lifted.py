# SPDX-License-Identifier: Apache-2.0
"""Bodies that an exported Pose2Mesh estimates of synthetic sequences, image by image: what the fusion learns from.

They are made once, in chunks that are functions of their number, and kept in files, as lifting and fitting a body takes
longer than training on it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.random import default_rng

from hmr_ros.core.archives import open_archive
from hmr_ros.core.arrays import Bools, Float32s, Floats
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.fitting.placement import Placement
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec
from hmr_ros.core.geometry.virtual_camera import to_upright_camera
from hmr_ros.core.manifest import atomic_path, load_manifest, verify
from hmr_ros.core.people import Estimates
from hmr_ros.core.records import Record, join_rows
from hmr_ros.core.uncertainty import Uncertainty, joints_seen, keypoint_of_joint
from hmr_ros.training.synthetic.sequences import Sequences, SequenceSampler

CHUNK = 64
"""Sequences per file."""

_LIFTED_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class Lifted(Record):
    """S people in T images: estimates beside the ground truth; metres, the optical frame of each image.

    ``stamps`` (S, T) s; ``pose`` and ``true_pose`` (S, T, 24, 3) rotvecs, the root to optical; ``betas`` (S, T, 10);
    ``cam_t`` (S, T, 3); ``joint_error`` (S, T, 24) as the network expects it; ``seen`` (S, T, 24) joints whose keypoint
    was detected; ``valid`` (S, T) images with an estimate; ``true_betas`` (S, 10); ``future`` and ``known`` as in
    Sequences; ``camera`` (S, T, 3) rotvecs, world to optical.
    """

    stamps: Floats
    pose: Float32s
    true_pose: Float32s
    betas: Float32s
    cam_t: Float32s
    joint_error: Float32s
    seen: Bools
    valid: Bools
    true_betas: Float32s
    future: Floats
    known: Bools
    camera: Float32s


class Lifter:
    """Runs an exported Pose2Mesh on sequences, and places its bodies as the robot does."""

    def __init__(self, manifest_path: Path, body: BodyModel) -> None:
        manifest = load_manifest(manifest_path)
        if manifest.kind != "pose2mesh" or manifest.normalisation.get("input") != "virtual_camera":
            raise ValueError(
                f"{manifest_path}: expected the manifest of a compact Pose2Mesh, such as models/pose2mesh.json"
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        content = verify(manifest, manifest_path)
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self.joint_set = str(manifest.joint_set)
        self._placement = Placement(body, self.joint_set)
        self._uncertainty = Uncertainty(manifest.uncertainty, self.joint_set)
        self.calibration = manifest.uncertainty

    def estimates(self, normalized: Floats, score: Floats) -> Estimates:
        """Bodies of P people with keypoints ``normalized`` (P, J, 2) and ``score`` (P, J); some are not valid."""
        rows = range(0, len(score), _LIFTED_AT_ONCE)
        return join_rows(
            [self._some(normalized[r : r + _LIFTED_AT_ONCE], score[r : r + _LIFTED_AT_ONCE]) for r in rows]
        )

    def _some(self, normalized: Floats, score: Floats) -> Estimates:
        view = to_upright_camera(normalized, score, self.joint_set)
        rows = np.flatnonzero(view.ok)
        estimates = Estimates.unknown(len(score))
        if not len(rows):
            return estimates
        feed = {"keypoints": view.keypoints[rows], "context": view.context[rows]}
        vertices, error = self._session.run(["vertices", "joint_error"], feed)
        vertices = vertices @ view.optical_from_virtual[rows].transpose(0, 2, 1)
        placed, misfit = self._placement.placed(vertices, normalized[rows], score[rows])
        covariances = self._uncertainty(error, score[rows], placed.cam_t, misfit)
        return estimates.with_rows(rows, placed.with_uncertainty(error, covariances))

    def lifted(self, sequences: Sequences) -> Lifted:
        """The bodies of ``sequences`` beside their ground truth."""
        shape = sequences.stamps.shape
        normalized, score = (a.reshape(-1, *a.shape[2:]) for a in (sequences.normalized, sequences.score))
        found = self.estimates(normalized, score)
        pose = np.concatenate([found.global_orient[:, None], found.body_pose], 1)

        def images(array: Floats) -> Float32s:
            known = np.where(found.valid.reshape(-1, *[1] * (array.ndim - 1)), array, 0)
            return known.reshape(*shape, *array.shape[1:]).astype(np.float32)

        return Lifted(
            stamps=sequences.stamps,
            pose=images(pose),
            true_pose=rotmat_to_rotvec(sequences.rotations).astype(np.float32),
            betas=images(found.betas),
            cam_t=images(found.cam_t),
            joint_error=images(found.joint_error),
            seen=joints_seen(score, keypoint_of_joint(self.joint_set)).reshape(*shape, -1),
            valid=found.valid.reshape(shape),
            true_betas=sequences.betas.astype(np.float32),
            future=sequences.future.astype(np.float16),
            known=sequences.known,
            camera=rotmat_to_rotvec(sequences.optical_from_world).astype(np.float32),
        )


def lifted_chunk(directory: Path, number: int, seed: int, lifter: Lifter, sampler: SequenceSampler) -> Lifted:
    """The chunk ``number`` in ``directory``: read, or made and written."""
    path = directory / f"{number:05d}.npz"
    if not path.is_file():
        directory.mkdir(parents=True, exist_ok=True)
        chunk = lifter.lifted(sampler.sample(default_rng((seed, number)), CHUNK))
        with atomic_path(path) as temporary:
            np.savez(temporary, **vars(chunk))
        return chunk
    with open_archive(path) as archive:
        return Lifted(**{field.name: archive[field.name] for field in dataclasses.fields(Lifted)})
