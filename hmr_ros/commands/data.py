# SPDX-License-Identifier: Apache-2.0
"""`hmr data`: tell what data are there for training, and whether they are enough.

check: which of the papers' data sets lie in a directory. For each split: people, fits, measured joints, missing images,
and how many of some fits pass the papers' filters. With --sheet, some people with their meshes and keypoints, to look
at. docs/datasets.md has the layouts.

coverage: how near the poses that a recipe draws from a motion file come to those of its held-out subjects.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from hmr_ros.commands import add_settings
from hmr_ros.core.body.body_model import BodyModel, load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.evaluation.data_check import check_split, contact_sheet, splits
from hmr_ros.evaluation.pose_coverage import coverage, markdown
from hmr_ros.media.images import write_image_file
from hmr_ros.training.datasets.motion import load_motion
from hmr_ros.training.recipe_files import load_recipe

EXAMPLES = (
    "hmr data check DATA --body smpl_neutral.npz --sheet sheet.png",
    "hmr data check DATA --body smpl_neutral.npz --body-female smpl_female.npz --body-male smpl_male.npz",
    "hmr data coverage motion.npz --config pose2mesh --set people.poses.by_posture=0.3",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("action", choices=("check", "coverage"), help="read what is there and report")
    parser.add_argument(
        "root", type=Path, help="directory with one directory for each data set; for coverage, a motion file"
    )
    parser.add_argument("--body", type=Path, help="the neutral SMPL model .npz (default: the open body)")
    parser.add_argument("--body-female", type=Path, help="the female SMPL model")
    parser.add_argument("--body-male", type=Path, help="the male SMPL model")
    parser.add_argument("--sheet", type=Path, help="image file of people with their projected meshes")
    drawn = parser.add_argument_group("coverage")
    drawn.add_argument("--config", type=Path, default=Path("pose2mesh"), help="recipe that draws (%(default)s)")
    add_settings(parser, "people.poses.low=0.3")
    drawn.add_argument("--samples", type=int, default=15_000, help="poses that are drawn (%(default)s)")
    drawn.add_argument("--seed", type=int, default=0, help="of the poses (%(default)s)")


def run(args: argparse.Namespace) -> int:
    """Check and report; 1 where nothing is there, or something is broken or lacks images."""
    if args.action == "coverage":
        return _coverage(args)
    if not args.root.is_dir():
        raise FileNotFoundError(f"{args.root}: no such directory; docs/datasets.md tells what it holds")
    checks, bodies = [], _bodies(args)
    for dataset, split in splits():
        check = check_split(args.root, dataset, split, bodies)
        print(f"{dataset:12} {split:10} {check.line if check else '-'}", flush=True)
        checks += [check] if check else []
    if args.sheet:
        write_image_file(args.sheet, contact_sheet(checks))
    return 0 if checks and all(check.usable for check in checks) else 1


def _coverage(args: argparse.Namespace) -> int:
    """Print the table of postures."""
    if args.samples < 1:
        raise ValueError(f"--samples: expected at least 1, got {args.samples}")
    mix = load_recipe(args.config, args.settings).people.poses
    print(markdown(coverage(load_motion(args.root), mix, args.samples, args.seed)))
    return 0


def _bodies(args: argparse.Namespace) -> dict[str, BodyModel]:
    """Body models by gender."""
    paths = {"neutral": args.body or models_dir() / "open_body.npz", "female": args.body_female, "male": args.body_male}
    return {gender: load_body_model(path) for gender, path in paths.items() if path}
