# SPDX-License-Identifier: Apache-2.0
"""What a network of the ablation takes: weights, memory in training, time."""

from __future__ import annotations

import time

import numpy as np
import torch
from torch import Tensor

from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.evaluation.ablation.pose2mesh.report import Cost
from hmr_ros.networks.pose2mesh import POSE_FEATURES
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.memory import MIB, saved_bytes
from hmr_ros.training.recipes import Arrays
from hmr_ros.training.recipes.paper import build_network

_SAMPLES = 2
_REPEATS = 3


def cost_of(config: TrainConfig, body: BodyModel, topology: Arrays) -> Cost:
    """Of the part after PoseNet, which is all that the tables change."""
    network = build_network(config, body, topology)
    mesh = network.mesh.train()
    features = torch.zeros(_SAMPLES, network.joint_set.size, POSE_FEATURES)

    def loss() -> Tensor:
        out: Tensor = mesh(features).sum()
        return out

    saved = saved_bytes(mesh, loss) / _SAMPLES / MIB
    return Cost(sum(p.numel() for p in mesh.parameters()), saved, _forward_ms(mesh.eval(), features[:1]))


@torch.no_grad()
def _forward_ms(mesh: torch.nn.Module, features: Tensor) -> float:
    """The shortest of a few runs, in the trained form."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    taken = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        mesh(features)
        taken.append(time.perf_counter() - start)
    torch.set_num_threads(threads)
    return 1000 * float(np.min(taken))
