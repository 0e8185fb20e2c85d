# SPDX-License-Identifier: Apache-2.0
"""`hmr prepare-motion`: collect AMASS and BVH recordings into one motion file, or change a motion file.

docs/motion_format.md describes the file and what is done to recordings.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import itertools
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hmr_ros.training.datasets.motion import SPLITS, Motion, is_motion_file, load_motion, save_motion
from hmr_ros.training.motion.amass import read_amass
from hmr_ros.training.motion.bvh import read_bvh
from hmr_ros.training.motion.clip import Clip, cut_at_glitches, join, resample
from hmr_ros.training.motion.retarget import retarget
from hmr_ros.training.motion.straighten import straighten, table

CMU_UNIT = 0.0254 / 0.45
"""m per length unit of the CMU mocap library."""

NOTICE = "Made by hmr prepare-motion. The licences of the recordings apply to this file and to weights trained on it."


EXAMPLES = (
    "hmr prepare-motion --out motion.npz AMASS/CMU my_bvh_directory",
    "hmr prepare-motion --split-file splits.txt --bvh-unit 0.01 recordings",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument(
        "inputs",
        nargs="+",
        type=Path,
        metavar="INPUT",
        help="AMASS or BVH files, directories of them, or one motion file",
    )
    parser.add_argument("--out", type=Path, default=Path("motion.npz"), help="motion file to write (%(default)s)")
    parser.add_argument(
        "--split-file", type=Path, help="text file of 'subject split' lines; without it one subject in eight is val"
    )
    parser.add_argument(
        "--bvh-unit", type=float, default=CMU_UNIT, help="m per unit of BVH files (%(default).5f, CMU's)"
    )
    parser.add_argument("--notice", help="licence notice to keep in the file (default: a general one)")
    parser.add_argument(
        "--straighten",
        action="store_true",
        help="take out constant joint-angle offsets of subjects, such as knees that never straighten, and print them",
    )


def run(args: argparse.Namespace) -> int:
    """Read, clean, split and write recordings."""
    if args.out.suffix != ".npz":
        raise ValueError(f"--out {args.out}: expected a name that ends in .npz")
    motion = _read(args)
    if args.straighten:
        motion, offsets = straighten(motion)
        print(table(offsets))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    save_motion(motion, args.out)
    print(summary(motion, args.out))
    return 0


def _read(args: argparse.Namespace) -> Motion:
    """The motion of the inputs; that of a motion file keeps its splits unless a split file is given."""
    if any(is_motion_file(path) for path in args.inputs):
        if len(args.inputs) > 1:
            raise ValueError(f"expected one motion file and nothing else, got {len(args.inputs)} inputs")
        motion = load_motion(args.inputs[0])
        splits = dict(zip(motion.clip_subject.tolist(), motion.clip_split.tolist(), strict=True))
    else:
        paths = find_recordings(args.inputs)
        clips = [piece for path in tqdm(paths, unit="file") for piece in read_clips(path, args.bvh_unit)]
        splits = default_splits({clip.subject for clip in clips})
        motion = join(clips, splits, NOTICE)
    if args.split_file:
        splits = read_splits(args.split_file, splits)
    clip_split = np.array([splits[subject] for subject in motion.clip_subject.tolist()])
    return dataclasses.replace(motion, clip_split=clip_split, notice=args.notice or motion.notice)


def find_recordings(inputs: Iterable[Path]) -> list[Path]:
    """Files as given, and AMASS's and ``*.bvh`` below directories; FileNotFoundError for one without any."""
    found: list[Path] = []
    for path in inputs:
        below = (path.rglob(pattern) for pattern in ("*_poses.npz", "*_stageii.npz", "*.bvh"))
        files = [path] if path.is_file() else sorted(itertools.chain(*below))
        if not files:
            raise FileNotFoundError(
                f"{path}: neither a file nor a directory with AMASS *_poses.npz, *_stageii.npz or *.bvh files"
            )
        found += files
    return found


def read_clips(path: Path, bvh_unit: float) -> list[Clip]:
    """The usable pieces of one recording at 30 fps; ValueError names the file."""
    if path.suffix == ".npz":
        clip = read_amass(path)
    elif path.suffix.lower() == ".bvh":
        clip = _read_bvh_clip(path, bvh_unit)
    else:
        raise ValueError(f"{path}: expected an AMASS .npz or a .bvh file")
    return cut_at_glitches(resample(clip))


def _read_bvh_clip(path: Path, unit: float) -> Clip:
    """A .bvh file as a clip: ``<subject>_<trial>.bvh``, as CMU names it, in a directory named after the category."""
    motion = read_bvh(path)
    try:
        pose, trans, leg = retarget(motion, unit)
    except ValueError as err:
        raise ValueError(f"{path}: {err}") from err
    subject = path.stem.split("_")[0]
    # The first frame is often the rig's rest pose, which was not recorded.
    return Clip(path.stem, subject, path.resolve().parent.name, pose[1:], trans[1:], motion.fps, leg)


def default_splits(subjects: Iterable[str]) -> dict[str, str]:
    """One subject in eight is val, chosen by a hash of its name: the same subject always falls into the same split."""

    def bucket(subject: str) -> int:
        return hashlib.sha256(subject.encode()).digest()[0] % 8

    return {subject: "val" if bucket(subject) == 0 else "train" for subject in subjects}


def read_splits(path: Path, subjects: Iterable[str]) -> dict[str, str]:
    """Splits from lines ``subject split`` (``#`` starts a comment); subjects that it does not name are train.

    ValueError names the line that is wrong, or the subject of which there is no recording.
    """
    splits = dict.fromkeys(subjects, "train")
    for number, line in enumerate(path.read_text().splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) != 2 or words[1] not in SPLITS:
            raise ValueError(f"{path}: line {number}: expected 'subject {'|'.join(SPLITS)}', got {line!r}")
        if words[0] not in splits:
            raise ValueError(f"{path}: line {number}: no recording of subject {words[0]!r}; there are {sorted(splits)}")
        splits[words[0]] = words[1]
    return splits


def summary(motion: Motion, path: Path) -> str:
    """Frames and subjects of each split as lines of text."""
    lines = [f"{path}: {len(motion)} frames at {motion.fps:g} fps in {len(motion.clip_id)} clips"]
    for split in SPLITS:
        subjects = set(motion.clip_subject[motion.clip_split == split].tolist())
        lines.append(f"  {split:5} {(motion.split == split).sum():8d} frames of {len(subjects)} subjects")
    return "\n".join(lines)
