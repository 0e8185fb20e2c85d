# SPDX-License-Identifier: Apache-2.0
"""A tiny data set in FreiHAND's layout, made of the open hand in MANO's place."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from hmr_ros.core.body.hand_model import HandModel
from hmr_ros.training.datasets.freihand import ROOT

CAMERA = np.array([[480.0, 0, 112], [0, 480, 110], [0, 0, 1]])


def write_freihand(root: Path, hand: HandModel, samples: int, split: str = "training") -> None:
    """Random hands of ``hand``, 0.5 to 0.9 m before the camera."""
    rng = np.random.default_rng(0)
    orient, pose, betas = (
        rng.normal(size=(samples, 3)),
        0.3 * rng.normal(size=(samples, 15, 3)),
        rng.normal(size=(samples, 10)),
    )
    wrist = rng.uniform((-0.05, -0.05, 0.5), (0.05, 0.05, 0.9), (samples, 3))
    posed = hand.posed(orient, pose + hand.mean_pose, betas, wrist)
    points = hand.keypoints(posed)
    root_joint = points[:, ROOT]
    uv = root_joint[:, :2] / root_joint[:, 2:] * 480 + CAMERA[:2, 2]
    scale = 480 / root_joint[:, 2:]
    content = {
        "K": np.tile(CAMERA, (samples, 1, 1)),
        "xyz": points,
        "verts": posed.vertices,
        "mano": np.concatenate([orient, pose.reshape(samples, 45), betas, uv, scale], 1)[:, None],
        "scale": np.linalg.norm(points[:, ROOT] - points[:, ROOT + 1], axis=1),
    }
    for name, values in content.items():
        (root / f"{split}_{name}.json").write_text(json.dumps(values.tolist()))
