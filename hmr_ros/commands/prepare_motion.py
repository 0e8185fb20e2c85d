# SPDX-License-Identifier: Apache-2.0
"""``hmr prepare-motion``: build a motion file from AMASS and BVH recordings (docs/motion_format.md)."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterable
from pathlib import Path

from tqdm import tqdm

from hmr_ros.training.datasets.motion import SPLITS, Motion, save_motion
from hmr_ros.training.motion.amass import read_amass
from hmr_ros.training.motion.bvh import read_bvh
from hmr_ros.training.motion.clip import Clip, cut_at_glitches, join, resample
from hmr_ros.training.motion.retarget import retarget

CMU_UNIT = 0.0254 / 0.45
"""m per length unit of the CMU mocap library."""

NOTICE = "Made by hmr prepare-motion. The licences of the recordings apply to this file and to weights trained on it."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument(
        "inputs", nargs="+", type=Path, metavar="INPUT", help="AMASS or BVH file, or a directory of them"
    )
    parser.add_argument("--out", type=Path, default=Path("motion.npz"), help="motion file to write (%(default)s)")
    parser.add_argument(
        "--split-file", type=Path, help="text file of 'subject split' lines; without it one subject in eight is val"
    )
    parser.add_argument(
        "--bvh-unit", type=float, default=CMU_UNIT, help="m per unit of BVH files (%(default).5f, CMU's)"
    )
    parser.add_argument("--notice", default=NOTICE, help="licence notice to keep in the file")


def run(args: argparse.Namespace) -> int:
    """Read, clean, split and write."""
    if args.out.suffix != ".npz":
        raise ValueError(f"--out {args.out}: expected a name that ends in .npz")
    paths = find_recordings(args.inputs)
    clips = [piece for path in tqdm(paths, unit="file") for piece in read_clips(path, args.bvh_unit)]
    subjects = {clip.subject for clip in clips}
    splits = read_splits(args.split_file, subjects) if args.split_file else default_splits(subjects)
    motion = join(clips, splits, args.notice)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    save_motion(motion, args.out)
    print(summary(motion, args.out))
    return 0


def find_recordings(inputs: Iterable[Path]) -> list[Path]:
    """Files as given, and ``*_poses.npz`` and ``*.bvh`` below directories; FileNotFoundError for one without any."""
    found: list[Path] = []
    for path in inputs:
        files = [path] if path.is_file() else sorted([*path.rglob("*_poses.npz"), *path.rglob("*.bvh")])
        if not files:
            raise FileNotFoundError(f"{path}: neither a file nor a directory with AMASS *_poses.npz or *.bvh files")
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
    """CMU's file names are ``<subject>_<trial>.bvh``; the directory's name becomes the category."""
    motion = read_bvh(path)
    try:
        pose, trans, leg = retarget(motion, unit)
    except ValueError as err:
        raise ValueError(f"{path}: {err}") from err
    subject = path.stem.split("_")[0]
    # The first frame is often a calibration pose that no one took.
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
    """What was written, in a few lines."""
    lines = [f"{path}: {len(motion)} frames at {motion.fps:g} fps in {len(motion.clip_id)} clips"]
    for split in SPLITS:
        subjects = set(motion.clip_subject[motion.clip_split == split].tolist())
        lines.append(f"  {split:5} {(motion.split == split).sum():8d} frames of {len(subjects)} subjects")
    return "\n".join(lines)
