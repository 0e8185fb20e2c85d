# SPDX-License-Identifier: Apache-2.0
"""`hmr render`: draw images of clothed people for training, as shards or as one contact sheet."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from hmr_ros.core.settings import load_toml
from hmr_ros.core.skeleton import JOINT_SETS
from hmr_ros.training.datasets.motion import SPLITS
from hmr_ros.training.synthetic.images import ImageMix
from hmr_ros.training.synthetic.images.shards.render import SHEET_SAMPLES, Plan, write_shards, write_sheet

EXAMPLES = (
    "hmr render --motion motion.npz --sheet sheet.png",
    "hmr render --motion motion.npz --backgrounds photos_of_places --count 100000 --workers 8 --out shards",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("--motion", type=Path, required=True, help="motion file of `hmr prepare-motion`")
    parser.add_argument("--split", choices=SPLITS, default="train", help="subjects whose poses are drawn (%(default)s)")
    parser.add_argument("--backgrounds", type=Path, help="directory of images without people (default: procedural)")
    parser.add_argument(
        "--mix", type=Path, help="TOML file of ImageMix settings, which say what is random and how much"
    )
    parser.add_argument(
        "--joint-set", choices=sorted(JOINT_SETS), default="coco_feet", help="keypoints to label (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="other seeds give other images (%(default)s)")
    parser.add_argument("--out", type=Path, help="directory for shards; existing shards are kept")
    parser.add_argument(
        "--count", type=int, default=10_000, help="total number of images, rounded up to whole shards (%(default)s)"
    )
    parser.add_argument("--shard-size", type=int, default=500, help="images per shard, --count at most (%(default)s)")
    parser.add_argument("--workers", type=int, default=1, help="processes (%(default)s)")
    parser.add_argument("--sheet", type=Path, help=f"write {SHEET_SAMPLES} images with skeletons to this .png instead")


def run(args: argparse.Namespace) -> int:
    """Render a sheet or shards."""
    if bool(args.out) == bool(args.sheet):
        raise ValueError("expected either --out DIRECTORY for shards or --sheet FILE.png to look at")
    for name in ("count", "shard_size", "workers"):
        if getattr(args, name) < 1:
            raise ValueError(f"--{name.replace('_', '-')}: expected at least 1, got {getattr(args, name)}")
    mix = load_toml(args.mix, ImageMix) if args.mix else ImageMix()
    if args.backgrounds:
        mix = dataclasses.replace(mix, backgrounds=str(args.backgrounds.resolve()))
    shard_size = min(args.shard_size, args.count)
    plan = Plan(str(args.motion.resolve()), args.split, args.joint_set, args.seed, shard_size, mix)
    if args.sheet:
        write_sheet(plan, args.sheet)
    else:
        write_shards(plan, args.out, args.count, args.workers)
    return 0
