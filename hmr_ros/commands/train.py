# SPDX-License-Identifier: Apache-2.0
"""`hmr train`: train a network as a TOML file says, or resume its run.

A run is a directory: ``config.json``, ``log.jsonl``, ``last.pt`` (to resume) and ``best.pt`` (of the best validation,
to evaluate and export; a later stage replaces it). Ctrl-C and SIGTERM write ``last.pt`` and end it; the same command
goes on.

Several processes: ``torchrun --nproc-per-node 2 -m hmr_ros.cli train CONFIG``; then each step takes one batch per
process.
"""

from __future__ import annotations

import argparse
import dataclasses
from contextlib import nullcontext
from pathlib import Path

from hmr_ros.core.settings import load_toml, parse_assignment, updated
from hmr_ros.training.checkpoint import Checkpoint, load_checkpoint
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.device import choose_device
from hmr_ros.training.distributed import join_process_group, leave_process_group
from hmr_ros.training.recipe_files import find_recipe
from hmr_ros.training.stopping import only_run
from hmr_ros.training.trainer import Trainer

EXAMPLES = (
    "hmr train config/train/pose2mesh.toml --motion motion.npz",
    "hmr train my.toml --out runs/second --restart",
    "hmr train global_to_pixel --motion motion.npz --set local.steps=500 --set run.device=cpu",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("config", type=Path, help="TOML file, or the name of a shipped one, such as pose2mesh")
    parser.add_argument("--out", type=Path, help="directory of the run (default: runs/<name of the config>)")
    parser.add_argument("--motion", help="motion file, instead of the config's run.motion")
    parser.add_argument(
        "--set",
        dest="settings",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="instead of the config's, for example lift.steps=500; once per setting",
    )
    parser.add_argument(
        "--restart", action="store_true", help="start from the beginning even if the directory holds a run"
    )


def run(args: argparse.Namespace) -> int:
    """Train, or resume the run in the directory."""
    config = updated(load_toml(find_recipe(args.config), TrainConfig), dict(map(parse_assignment, args.settings)))
    if args.motion:
        config = updated(config, {"run.motion": args.motion})
    out = args.out or Path("runs") / args.config.stem
    device = choose_device(config.run.device)
    group = join_process_group(device)
    try:
        with only_run(out) if group.leads else nullcontext():
            stopped = Trainer(config, out, None if args.restart else _last(out, config), device, group).train()
    finally:
        leave_process_group()
    if stopped:
        return 128 + stopped
    if group.leads:
        print(f"the best weights are in {out / 'best.pt'}; export them with: hmr export {out / 'best.pt'}")
    return 0


def _last(out: Path, config: TrainConfig) -> Checkpoint | None:
    """Where the run in ``out`` has come to, None for a new one. ValueError for a run of another network."""
    path = out / "last.pt"
    if not path.exists():
        return None
    last = load_checkpoint(path)
    if last.config.recipe != config.recipe:
        raise ValueError(f"{path}: a run of the recipe {last.config.recipe}, not {config.recipe}; give another --out")
    had, asked = (dataclasses.asdict(getattr(c, c.recipe)) for c in (last.config, config))  # of the network
    if changed := [
        f"{name} {had.get(name)!r}, not {value!r}" for name, value in asked.items() if had.get(name) != value
    ]:
        raise ValueError(f"{path}: trained with {', '.join(changed)}; give another --out, or --restart")
    return last
