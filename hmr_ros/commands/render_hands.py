# SPDX-License-Identifier: Apache-2.0
"""`hmr render-hands`: render hands and keep what MediaPipe's hand network says of them, to train Pose2Mesh on them."""

from __future__ import annotations

import argparse
from pathlib import Path

from hmr_ros.evaluation.hands.seeing import CHUNK, HandEye, write_hand_sheet, write_seen_hands

EXAMPLES = (
    "hmr render-hands --sheet hands.png",
    "hmr render-hands --backgrounds photos_without_people --count 40000 --out hands/train",
    "hmr render-hands --backgrounds photos_without_people --count 2000 --seed 1 --out hands/val",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("--out", type=Path, help="directory for chunks; existing chunks are kept")
    parser.add_argument("--count", type=int, default=10_000, help="total number of hands (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="other seeds give other hands (%(default)s)")
    parser.add_argument(
        "--network", choices=("full", "lite"), default="full", help="the hand network that sees them (%(default)s)"
    )
    parser.add_argument("--backgrounds", type=Path, help="directory of images without hands (default: procedural)")
    parser.add_argument("--sheet", type=Path, help="write images with the points that are seen to this .png instead")


def run(args: argparse.Namespace) -> int:
    """Render chunks or a sheet."""
    if bool(args.out) == bool(args.sheet):
        raise ValueError("expected either --out DIRECTORY for chunks or --sheet FILE.png to look at")
    if args.count < 1:
        raise ValueError(f"--count: expected at least 1, got {args.count}")
    eye = HandEye(args.seed, args.network, args.backgrounds)
    if args.sheet:
        write_hand_sheet(eye, args.sheet)
        return 0
    chunks = write_seen_hands(eye, args.out, args.count)
    print(f"{args.out}: {chunks} chunks of {CHUNK} hands")
    return 0
