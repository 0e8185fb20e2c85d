# SPDX-License-Identifier: Apache-2.0
"""The protocols by name. One more is one more record."""

from __future__ import annotations

from dataclasses import dataclass

from hmr_ros.core.skeleton import HUMAN36M, HUMAN36M_EVAL

JOINT_METRICS = ("MPJPE", "PA-MPJPE")
MESH_METRICS = ("MPVPE", "PA-MPVPE")
ACCELERATION = "acceleration"
PCK, AUC = "PCK", "AUC"


@dataclass(frozen=True)
class Protocol:
    """How a data set is evaluated on.

    ``dataset`` and ``split`` of training/datasets/layouts.py, which says which frames those are; ``joints`` of
    Human3.6M that the errors are means over, and their ``root``, both regressed from the predicted mesh; the ground
    truth's are the measured ones, or regressed from its mesh; ``metrics`` in the order of the report.
    """

    name: str
    title: str
    dataset: str
    split: str
    joints: tuple[str, ...]
    root: str
    metrics: tuple[str, ...]


_HUMAN36M_METRICS = (*JOINT_METRICS, ACCELERATION)
PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            "human36m",
            "Human3.6M as Pose2Mesh tests: S9 and S11, all cameras, every 50th frame; measured joints",
            "human36m",
            "test",
            HUMAN36M_EVAL,
            "pelvis",
            JOINT_METRICS,
        ),
        Protocol(
            "human36m-p1",
            "Human3.6M protocol 1: S9 and S11, all cameras, every 5th frame; measured joints",
            "human36m",
            "p1",
            HUMAN36M_EVAL,
            "pelvis",
            _HUMAN36M_METRICS,
        ),
        Protocol(
            "human36m-p2",
            "Human3.6M protocol 2: S9 and S11, frontal camera, every 5th frame; measured joints",
            "human36m",
            "p2",
            HUMAN36M_EVAL,
            "pelvis",
            _HUMAN36M_METRICS,
        ),
        Protocol(
            "3dpw",
            "3DPW test split, frames with a valid camera; joints regressed from the meshes",
            "3dpw",
            "test",
            HUMAN36M_EVAL,
            "pelvis",
            (*JOINT_METRICS, *MESH_METRICS, ACCELERATION),
        ),
        Protocol(
            "mpi-inf-3dhp",
            "MPI-INF-3DHP test set; 17 measured joints, correct within 150 mm",
            "mpi_inf_3dhp",
            "test",
            HUMAN36M.joints,
            "pelvis",
            (*JOINT_METRICS, PCK, AUC),
        ),
    )
}
