# SPDX-License-Identifier: Apache-2.0
"""Motion capture as SMPL poses: the record that training samples from, and its file.

The file format is described in docs/motion_format.md; ``hmr prepare-motion`` builds it from AMASS and BVH.
World axes: y up, z forward and x to the subject's left in the rest pose.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hmr_ros.core.archives import open_archive
from hmr_ros.core.arrays import Bools, Float32s, Float64s, Floats, Int64s, Ints, Strings
from hmr_ros.core.manifest import atomic_path
from hmr_ros.core.skeleton import SMPL

REQUIRED_KEYS = ("pose", "trans", "clip", "clip_id", "clip_subject", "clip_split", "clip_cat", "fps")
SPLITS = ("train", "val", "test")
CLIP_FIELDS = ("clip_id", "clip_subject", "clip_category", "clip_split", "clip_leg")

_MIRROR_ROTVEC = np.array([1, -1, -1], np.float32)
_MIRROR_POINT = np.array([-1, 1, 1], np.float32)


@dataclass(frozen=True, eq=False)
class Motion:
    """N frames of C clips.

    ``pose`` (N, 24, 3) float32 axis-angle, SMPL joint order, the root first; ``trans`` (N, 3) float32 m, position of
    the pelvis joint; ``clip`` (N,) index into the C-sized fields. ``clip_subject`` names who moves: splits are by
    subject, so that no person is in two. ``clip_leg`` (C,) m, thigh plus shin of that subject, NaN where unknown: on
    a body with another leg length ``trans`` scales by the ratio.
    """

    pose: Float32s
    trans: Float32s
    clip: Int64s
    clip_id: Strings
    clip_subject: Strings
    clip_category: Strings
    clip_split: Strings
    clip_leg: Float32s
    fps: float
    notice: str = ""

    def __post_init__(self) -> None:
        frames, clips = len(self.pose), len(self.clip_id)
        expected = {"pose": (frames, SMPL.size, 3), "trans": (frames, 3), "clip": (frames,)}
        for name, shape in {**expected, **dict.fromkeys(CLIP_FIELDS, (clips,))}.items():
            if (actual := getattr(self, name).shape) != shape:
                raise ValueError(f"Motion.{name}: expected shape {shape}, got {actual}")
        if frames and not (self.clip.min() >= 0 and self.clip.max() < clips):
            raise ValueError(f"Motion.clip: expected 0..{clips - 1}, got {self.clip.min()}..{self.clip.max()}")
        if unknown := set(self.clip_split.tolist()) - set(SPLITS):
            raise ValueError(f"Motion.clip_split: expected {SPLITS}, got {sorted(unknown)}")
        if self.fps <= 0:
            raise ValueError(f"Motion.fps: expected a positive rate, got {self.fps}")

    def __len__(self) -> int:
        return len(self.pose)

    @cached_property
    def subject(self) -> Strings:
        """(N,) subject of each frame."""
        return self.clip_subject[self.clip]

    @cached_property
    def category(self) -> Strings:
        """(N,) category of each frame: walk, dance, ..."""
        return self.clip_category[self.clip]

    @cached_property
    def split(self) -> Strings:
        """(N,) split of each frame."""
        return self.clip_split[self.clip]

    @cached_property
    def weights(self) -> Float64s:
        """(N,) sampling probabilities: 1 / sqrt(frames of the category), so that no category (dances) dominates."""
        _, inverse, counts = np.unique(self.category, return_inverse=True, return_counts=True)
        weights: Float64s = 1 / np.sqrt(counts[inverse])
        weights /= weights.sum()
        return weights

    def take(self, index: Ints | Bools | slice) -> Motion:
        """The frames at ``index``; every clip stays known."""
        return dataclasses.replace(self, pose=self.pose[index], trans=self.trans[index], clip=self.clip[index])

    def select(self, split: str) -> Motion:
        """The frames of one split; ValueError when it has none."""
        frames = self.split == split
        if not frames.any():
            raise ValueError(f"motion has no frame of split {split!r}; it has {sorted(set(self.split.tolist()))}")
        return self.take(frames)


def mirror(pose: Floats, trans: Floats) -> tuple[Floats, Floats]:
    """Swap left and right: ``pose`` (..., 24, 3) axis-angle, ``trans`` (..., 3) m. An involution.

    Reflection in the plane x = 0 turns a rotation about (x, y, z) into one about (x, -y, -z) of the partner joint.
    """
    return pose[..., SMPL.mirror, :] * _MIRROR_ROTVEC, trans * _MIRROR_POINT


def is_motion_file(path: Path) -> bool:
    """Whether ``path`` is an archive with the keys of a motion file; AMASS's .npz files are not."""
    if path.suffix != ".npz" or not path.is_file():
        return False
    try:
        with open_archive(path) as archive:
            return set(REQUIRED_KEYS) <= set(archive.files)
    except (ValueError, OSError):
        return False


def load_motion(path: Path | str) -> Motion:
    """Read a motion file; FileNotFoundError or ValueError name the file and what to do."""
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such motion file; build one with `hmr prepare-motion`")
    try:
        with open_archive(path) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (ValueError, OSError) as err:
        raise ValueError(f"{path}: not a motion archive (.npz without pickled objects): {err}") from err
    if missing := [key for key in REQUIRED_KEYS if key not in arrays]:
        raise ValueError(f"{path}: the motion archive lacks {missing}; see docs/motion_format.md")
    try:
        return _motion_from_arrays(arrays)
    except (ValueError, TypeError) as err:
        raise ValueError(f"{path}: {err}") from err


def _motion_from_arrays(arrays: dict[str, NDArray[np.generic]]) -> Motion:
    clips = len(arrays["clip_id"])
    return Motion(
        pose=arrays["pose"].astype(np.float32).reshape(-1, SMPL.size, 3),
        trans=arrays["trans"].astype(np.float32),
        clip=arrays["clip"].astype(np.int64),
        clip_id=arrays["clip_id"].astype(np.str_),
        clip_subject=arrays["clip_subject"].astype(np.str_),
        clip_category=arrays["clip_cat"].astype(np.str_),
        clip_split=arrays["clip_split"].astype(np.str_),
        clip_leg=arrays.get("clip_leg", np.full(clips, np.nan)).astype(np.float32),
        fps=float(arrays["fps"]),
        notice=str(arrays.get("notice", "")),
    )


def save_motion(motion: Motion, path: Path | str) -> None:
    """Write ``path`` (.npz) atomically: a reader sees the old file or the whole new one."""
    with atomic_path(Path(path)) as temporary:
        np.savez_compressed(
            temporary,
            pose=motion.pose.reshape(len(motion), -1).astype(np.float16),
            trans=motion.trans,
            clip=motion.clip.astype(np.int32),
            clip_id=motion.clip_id,
            clip_subject=motion.clip_subject,
            clip_split=motion.clip_split,
            clip_cat=motion.clip_category,
            clip_leg=motion.clip_leg,
            fps=np.float32(motion.fps),
            notice=np.str_(motion.notice),
        )
