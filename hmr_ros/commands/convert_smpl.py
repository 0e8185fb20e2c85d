# SPDX-License-Identifier: Apache-2.0
"""`hmr convert-smpl`: convert a licensed SMPL or MANO model from .pkl to the .npz that hmr_ros reads.

SMPL and MANO come as Python pickles, which can run code when they are read. This command reads one once, with a
restricted unpickler that resolves arrays only, and only if --i-trust-this-file is given. The .npz that it writes holds
no code.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from hmr_ros.conversion.smpl import convert, is_hand
from hmr_ros.core.archives import open_archive

_TRUST = "--i-trust-this-file"


EXAMPLES = ("hmr convert-smpl SMPL_NEUTRAL.pkl smpl_neutral.npz --i-trust-this-file",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("pickle", type=Path, help="SMPL_NEUTRAL.pkl, or MANO_RIGHT.pkl, from their web sites")
    parser.add_argument("out", type=Path, help="the .npz to write")
    parser.add_argument(_TRUST, action="store_true", dest="trusted", help="the file comes from a source you trust")
    parser.add_argument("--coco17", type=Path, help="keypoint regressor to include: .npy (17, V) in COCO's order")
    parser.add_argument(
        "--human36m", type=Path, help="keypoint regressor of Human3.6M: .npy (17, V), Pose2Mesh's or SPIN's"
    )


def run(args: argparse.Namespace) -> int:
    """Convert; 0 when the .npz is written."""
    if not args.trusted:
        print(
            f"{args.pickle} is a pickle, which may hold code. If it comes from a source you trust, add {_TRUST}.",
            file=sys.stderr,
        )
        return 2
    try:
        swapped = convert(args.pickle, args.out, args.coco17, args.human36m)
    except ValueError as err:
        print(err, file=sys.stderr)
        return 1
    if swapped:
        print(f"{args.human36m} has the left leg first, as SPIN's: its legs are put in the order of Pose2Mesh's")
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB; use it with {_use(args.out)}")
    return 0


def _use(out: Path) -> str:
    with open_archive(out) as file:
        return "hmr_ros.open_hand(path=...)" if is_hand(file) else "the parameter smpl_path"
