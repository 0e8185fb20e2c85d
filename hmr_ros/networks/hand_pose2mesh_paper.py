# SPDX-License-Identifier: Apache-2.0
"""Pose2Mesh as published, on hands: MANO's 21 joints to the 778 vertices of a mesh in MANO's schema.

The graph of the joints links the same joints of adjacent fingers beside the bones; MeshNet has the paper's blocks for
hands. Which mesh it makes is that of the hand model which it was trained on.

Source: Choi, Moon, Lee, "Pose2Mesh", ECCV 2020, and its released code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch

from hmr_ros.core.arrays import Floats
from hmr_ros.core.body.hand_model import HandModel
from hmr_ros.core.settings import setting
from hmr_ros.core.skeleton import MANO
from hmr_ros.networks.coarsening import MeshGraph, Rescaling, joint_laplacian
from hmr_ros.networks.meshnet import HAND_SHAPE, MeshNet, narrowed
from hmr_ros.networks.pose2mesh import Pose2Mesh, build_graph
from hmr_ros.networks.posenet import PAPER_WIDTH, PoseNet


@dataclass(frozen=True)
class HandPaperConfig:
    """The paper's network for hands, or a narrower one."""

    joint_set: str = setting("mano", doc="2D joints that are read", choices=(MANO.name,))
    posenet_width: int = setting(PAPER_WIDTH, doc="features of PoseNet", low=8)
    dropout: float = setting(0.5, doc="fraction of PoseNet's features dropped in training", low=0, high=0.9)
    narrower: int = setting(1, doc="features of graph convolutions are the paper's divided by this", low=1, high=32)
    rescaling: str = setting("pose2mesh", doc="of the Laplacians", choices=("pose2mesh", "textbook"))


def build_hand_graph(config: HandPaperConfig, hand: HandModel) -> MeshGraph:
    """The graphs of the decoder on the mesh of ``hand``."""
    return build_graph(hand, cast("Rescaling", config.rescaling), HAND_SHAPE)


def build_hand_pose2mesh(config: HandPaperConfig, graph: MeshGraph, regressor: Floats) -> Pose2Mesh:
    """An untrained network; ``regressor`` (21, V) reads its joints from the mesh of ``graph``."""
    posenet = PoseNet(MANO.size, config.posenet_width, config.dropout)
    meshnet = MeshNet(joint_laplacian(MANO), graph, narrowed(HAND_SHAPE, config.narrower))
    return Pose2Mesh(posenet, meshnet, MANO, torch.from_numpy(regressor).float())
