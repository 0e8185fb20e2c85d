# SPDX-License-Identifier: Apache-2.0
"""`hmr convert-pose2mesh`: convert published weights of Pose2Mesh to a checkpoint that is evaluated and exported.

The weights are for SMPL, so the licensed model must be given; the graphs are made from its faces. Weights that do not
fit them are refused.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from hmr_ros.conversion.pose2mesh import convert_published
from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.training.checkpoint import save_checkpoint

EXAMPLES = ("hmr convert-pose2mesh final.pth.tar --body smpl_neutral.npz --out runs/published/best.pt",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("weights", type=Path, help="final.pth.tar or best.pth.tar of Pose2Mesh's authors")
    parser.add_argument("--body", type=Path, required=True, help="the SMPL model that they are for (hmr convert-smpl)")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint to write (.pt)")


def run(args: argparse.Namespace) -> int:
    """Convert; 0 when the checkpoint is written."""
    checkpoint = convert_published(args.weights, load_body_model(args.body), args.body.resolve())
    args.out.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(checkpoint, args.out)
    print(f"{args.out}: reads the keypoints {checkpoint.config.paper.joint_set}; check it with hmr evaluate --protocol")
    return 0
