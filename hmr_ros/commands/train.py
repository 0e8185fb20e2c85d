# SPDX-License-Identifier: Apache-2.0
"""`hmr train`: train a network as a TOML file says, or resume its run.

A run is a directory: ``config.json``, ``log.jsonl``, ``last.pt`` (to resume) and ``best.pt`` (of the best validation,
to evaluate and export; a later stage replaces it). Ctrl-C and SIGTERM write ``last.pt`` and end it; the same command
goes on. --start gives a new run the weights of a trained network, as of models/pose2mesh.json (docs/training.md).

Several processes: ``torchrun --nproc-per-node 2 -m hmr_ros.cli train CONFIG``; then each step takes one batch per
process (docs/training.md). --memory tells which batch fits into which memory.
"""

from __future__ import annotations

import argparse
import dataclasses
from contextlib import nullcontext
from pathlib import Path

from hmr_ros.commands import add_settings
from hmr_ros.core.body.body_model import BodyModel, load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.settings import updated
from hmr_ros.export.starting import started
from hmr_ros.training.checkpoint import Checkpoint, load_checkpoint
from hmr_ros.training.config import StageConfig, TrainConfig
from hmr_ros.training.device import choose_device
from hmr_ros.training.distributed import join_process_group, leave_process_group
from hmr_ros.training.memory import GIB, MIB, footprint
from hmr_ros.training.recipe_files import load_recipe
from hmr_ros.training.recipes import AnyRecipe, make_recipe, needs_motion, network_settings, stage_names
from hmr_ros.training.stopping import only_run
from hmr_ros.training.trainer import Trainer, motion_of

_MEMORIES = (8, 16, 24, 40, 80)
"""GiB of usual GPUs."""

EXAMPLES = (
    "hmr train config/train/pose2mesh.toml --motion motion.npz",
    "hmr train pose2mesh --motion mine.npz --start models/pose2mesh.json --set lift.steps=0 --set mesh.steps=2000",
    "hmr train my.toml --out runs/second --restart",
    "hmr train global_to_pixel --motion motion.npz --set local.steps=500 --set run.device=cpu",
    "hmr train pose2mesh_paper --motion motion.npz --memory",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("config", type=Path, help="TOML file, or the name of a shipped one, such as pose2mesh")
    parser.add_argument("--out", type=Path, help="directory of the run (default: runs/<name of the config>)")
    parser.add_argument("--motion", help="motion file, instead of the config's run.motion")
    parser.add_argument(
        "--start", help="best.pt or exported network (.json) whose weights a new run starts from, instead of run.start"
    )
    add_settings(parser, "lift.steps=500")
    parser.add_argument(
        "--restart", action="store_true", help="start from the beginning even if the directory holds a run"
    )
    parser.add_argument("--memory", action="store_true", help="tell what a step of each stage takes, and do not train")


def run(args: argparse.Namespace) -> int:
    """Train, or resume the run in the directory."""
    config = load_recipe(args.config, args.settings)
    if args.motion:
        config = updated(config, {"run.motion": args.motion})
    if args.start:  # in place of the parts that the recipe starts from
        config = updated(config, {"run.lifting": "", "run.local_stage": "", "run.start": args.start})
    if args.memory:
        _print_memory(config)
        return 0
    out = args.out or Path("runs") / args.config.stem
    device = choose_device(config.run.device)
    group = join_process_group(device)
    try:
        with only_run(out) if group.leads else nullcontext():
            last = None if args.restart else _last(out, config)
            stopped = Trainer(config, out, last or _start(config), device, group).train()
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
    had, asked = (dataclasses.asdict(network_settings(c)) for c in (last.config, config))  # of the network
    if changed := [
        f"{name} {had.get(name)!r}, not {value!r}" for name, value in asked.items() if had.get(name) != value
    ]:
        raise ValueError(f"{path}: trained with {', '.join(changed)}; give another --out, or --restart")
    return last


def _start(config: TrainConfig) -> Checkpoint | None:
    """What a new run starts from, None for random weights."""
    if config.run.mean_with and not config.run.start:
        raise ValueError("run.mean_with: give --start, the network that these runs started from")
    return started(Path(config.run.start), config, *_new(config)) if config.run.start else None


def _new(config: TrainConfig) -> tuple[AnyRecipe, BodyModel]:
    """A recipe with random weights, and its body model."""
    body = load_body_model(Path(config.run.body) if config.run.body else models_dir() / "open_body.npz")
    motion = motion_of(config, body) if needs_motion(config) else None
    return make_recipe(config, motion, body, None), body


def _print_memory(config: TrainConfig) -> None:
    """What a training step of each stage takes, and the largest batches for some sizes of memory."""
    recipe, _ = _new(config)
    for name in stage_names(config):
        stage: StageConfig = getattr(config, name)
        found = footprint(recipe, name, stage)
        fits = ", ".join(f"{memory} GiB: {found.batch(memory * GIB)}" for memory in _MEMORIES)
        print(
            f"{name}: {found.fixed / GIB:.2f} GiB and {found.sample / MIB:.2f} MiB per sample, "
            f"{found.total(stage.batch_size) / GIB:.1f} GiB for batch_size = {stage.batch_size}; largest batch: {fits}"
        )
