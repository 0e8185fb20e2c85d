# SPDX-License-Identifier: Apache-2.0
"""A directory of all the papers' data sets, tiny, in their official layouts."""

import dataclasses
from pathlib import Path

import numpy as np

from hmr_ros.core.body.body_model import BodyModel, load_body_model
from test.training.datasets import made
from test.training.datasets.test_human36m import write_subject


def write_root(root: Path, body: BodyModel | None = None) -> Path:
    """COCO of CLIFF, MPII of CLIFF, MPI-INF-3DHP of SPIN, 3DPW's pickles and Human3.6M; returns the SMPL-like body."""
    body_path = made.smpl_like_body(root / "smpl.npz")
    body = body or load_body_model(body_path, np.float64)
    coco = made.people([f"train2014/COCO_train2014_{i:012d}.jpg" for i in range(8)], 0, body)
    made.write_cliff(root / "coco" / "coco2014part_cliffGT.npz", coco)
    made.write_images(coco, root / "coco" / "images")
    mpii = made.people([f"{i:09d}.jpg" for i in range(4)], 1, body)
    made.write_cliff(root / "mpii" / "annotations" / "mpii_cliffGT.npz", mpii)
    made.write_images(mpii, root / "mpii" / "images")
    training = made.people([f"S{1 + i // 3}/Seq1/frame_{i}.jpg" for i in range(6)], 2, body)
    some = np.arange(6) % 3 != 1  # of the others the joints alone are known
    made.write_spin(root / "mpi_inf_3dhp" / "mpi_inf_3dhp_train.npz", training, has_smpl=some.astype(float))
    testing = made.people([f"TS1/img_{i}.jpg" for i in range(4)], 3, body)
    test_file = root / "mpi_inf_3dhp" / "mpi_inf_3dhp_valid.npz"
    made.write_spin(test_file, testing, pose=None, shape=None, has_smpl=None)
    for people in (training, testing):
        made.write_images(people, root / "mpi_inf_3dhp" / "images")
    for split in ("train", "test"):
        for number in range(2):
            _write_recording(root / "3dpw", split, f"office_{split}_{number:02d}", number, body)
    (root / "human36m").mkdir()
    for subject in (1, 5, 6, 7, 8, 9, 11):
        write_subject(root / "human36m", subject, body)
    return body_path


def _write_recording(directory: Path, split: str, sequence: str, seed: int, body: BodyModel) -> None:
    people = made.people([f"{sequence}/image_{i:05d}.jpg" for i in range(4)], 10 + seed, body)
    betas = np.tile(people.betas[:1], (4, 1))
    vertices = body.posed(people.pose[:, 0], people.pose[:, 1:], betas, people.cam_t).vertices
    points = body.regressor("coco17") @ vertices
    people = dataclasses.replace(
        people,
        betas=betas,
        transl=people.cam_t - body.rest_joints(betas)[:, 0],
        vertices=vertices,
        kp2d=(points @ made.K.T)[..., :2] / points[..., 2:],
    )
    made.write_3dpw_pickle(directory / "sequenceFiles" / split / f"{sequence}.pkl", people)
    made.write_images(people, directory / "imageFiles")
