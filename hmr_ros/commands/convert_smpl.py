# SPDX-License-Identifier: Apache-2.0
"""Convert a licensed SMPL model from .pkl to the .npz that hmr_ros reads.

SMPL comes as a Python pickle, which can run code when it is read. This command reads it with a restricted unpickler
that knows arrays only, once, after you have said that you trust the file; the .npz that it writes can do no harm.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hmr_ros.conversion.restricted_pickle import array, read_pickle
from hmr_ros.core.body.body_model import SMPL_KEYS, load_body_model
from hmr_ros.core.manifest import atomic_path

_TRUST = "--i-trust-this-file"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("pickle", type=Path, help="SMPL_NEUTRAL.pkl, from the SMPL web site")
    parser.add_argument("out", type=Path, help="the .npz to write")
    parser.add_argument(_TRUST, action="store_true", dest="trusted", help="the file comes from a source you trust")
    parser.add_argument("--coco17", type=Path, help="keypoint regressor to include: .npy (17, V) in COCO's order")
    parser.add_argument("--human36m", type=Path, help="the same of Human3.6M: .npy (17, V), right leg before left leg")


def run(args: argparse.Namespace) -> int:
    """Convert; 0 when the .npz is written."""
    if not args.trusted:
        print(
            f"{args.pickle} is a pickle, which may hold code. If it comes from a source you trust, add {_TRUST}.",
            file=sys.stderr,
        )
        return 2
    try:
        convert(args.pickle, args.out, args.coco17, args.human36m)
    except ValueError as err:
        print(err, file=sys.stderr)
        return 1
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB; use it with the parameter smpl_path")
    return 0


def convert(source: Path, out: Path, coco17: Path | None = None, human36m: Path | None = None) -> None:
    """Write the arrays of the pickle ``source`` and the given keypoint regressors to ``out``.

    Raises ValueError for files that hold no SMPL model, or that name what no model needs; ``out`` is then untouched.
    """
    if out.suffix != ".npz":
        raise ValueError(f"{out}: the converted file must end in .npz")
    arrays = _smpl_arrays(source)
    for key, path in (("J_regressor_coco17", coco17), ("J_regressor_h36m17", human36m)):
        if path:
            arrays[key] = _regressor(path, vertex_count=len(arrays["v_template"]))
    with atomic_path(out) as temporary:
        np.savez_compressed(temporary, **arrays)  # type: ignore[arg-type]
        load_body_model(temporary)


def _smpl_arrays(source: Path) -> dict[str, NDArray[np.generic]]:
    try:
        content = read_pickle(source.read_bytes())
        if missing := [key for key in SMPL_KEYS if key not in content]:
            raise ValueError(f"it lacks {missing}, so it is no SMPL model")
        return {key: array(content[key], key) for key in SMPL_KEYS}
    except (OSError, ValueError, IndexError) as err:
        raise ValueError(f"{source}: {err}") from err


def _regressor(path: Path, vertex_count: int) -> NDArray[np.generic]:
    try:
        rows = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as err:
        raise ValueError(f"{path}: not a .npy file of numbers ({err})") from err
    if not isinstance(rows, np.ndarray) or rows.shape != (17, vertex_count):
        raise ValueError(f"{path}: expected an array of shape (17, {vertex_count}), got {getattr(rows, 'shape', rows)}")
    return rows
