# SPDX-License-Identifier: Apache-2.0
"""`hmr train`: train a network as a TOML file says, or resume its run.

A run is a directory: ``config.json``, ``log.jsonl``, ``last.pt`` (to resume) and ``best.pt`` (of the best validation,
to evaluate and export; a later stage replaces it).

Several processes: ``torchrun --nproc-per-node 2 -m hmr_ros.cli train CONFIG``; then each step takes one batch per
process.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from hmr_ros.core.settings import load_toml
from hmr_ros.training.checkpoint import load_checkpoint
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.device import choose_device
from hmr_ros.training.distributed import join_process_group, leave_process_group
from hmr_ros.training.recipe_files import find_recipe
from hmr_ros.training.trainer import Trainer

EXAMPLES = (
    "hmr train config/train/pose2mesh.toml --motion motion.npz",
    "hmr train my.toml --out runs/second --restart",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("config", type=Path, help="TOML file, or the name of a shipped one, such as pose2mesh")
    parser.add_argument("--out", type=Path, help="directory of the run (default: runs/<name of the config>)")
    parser.add_argument("--motion", help="motion file, instead of the config's run.motion")
    parser.add_argument(
        "--restart", action="store_true", help="start from the beginning even if the directory holds a run"
    )


def run(args: argparse.Namespace) -> int:
    """Train, or resume the run in the directory."""
    config = load_toml(find_recipe(args.config), TrainConfig)
    if args.motion:
        config = dataclasses.replace(config, run=dataclasses.replace(config.run, motion=args.motion))
    out = args.out or Path("runs") / args.config.stem
    last = out / "last.pt"
    resumed = load_checkpoint(last) if last.exists() and not args.restart else None
    device = choose_device(config.run.device)
    group = join_process_group(device)
    try:
        Trainer(config, out, resumed, device, group).train()
    finally:
        leave_process_group()
    if group.leads:
        print(f"the best weights are in {out / 'best.pt'}; export them with: hmr export {out / 'best.pt'}")
    return 0
