# SPDX-License-Identifier: Apache-2.0
"""Biovision hierarchy (.bvh) files: the skeleton and its motion, as global rotations and positions."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from hmr_ros.core.arrays import Float64s, Int64s
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat


@dataclass(frozen=True, eq=False)
class BvhMotion:
    """T frames of a skeleton of J joints, parents before children; end sites are joints named ``<parent>_end``.

    ``parents`` (J,), -1 for the root; ``rest`` (J, 3) positions when all rotations are zero, the root at the origin;
    ``rotations`` (T, J, 3, 3) global, the identity at rest; ``positions`` (T, J, 3) global, in the file's unit.
    """

    names: tuple[str, ...]
    parents: Int64s
    rest: Float64s
    rotations: Float64s
    positions: Float64s
    fps: float

    @cached_property
    def index(self) -> dict[str, int]:
        """Joint name -> its number."""
        return {name: i for i, name in enumerate(self.names)}

    def first_child(self, joint: int) -> int | None:
        """The first joint whose parent is ``joint``."""
        children = np.flatnonzero(self.parents == joint)
        return int(children[0]) if len(children) else None


@dataclass
class _Skeleton:
    """What the HIERARCHY section says, in file order; ``open`` are the joints whose brace is not closed yet."""

    names: list[str] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    offsets: list[list[float]] = field(default_factory=list)
    channels: list[list[str]] = field(default_factory=list)
    open: list[int] = field(default_factory=list)

    def add(self, name: str) -> None:
        """Start a joint below the innermost open one."""
        self.names.append(name)
        self.parents.append(self.open[-1] if self.open else -1)
        self.offsets.append([0.0, 0.0, 0.0])
        self.channels.append([])


def read_bvh(path: Path) -> BvhMotion:
    """Read one file; ValueError names the file and the line."""
    lines = path.read_text(errors="replace").splitlines()
    try:
        start = next(i for i, line in enumerate(lines) if line.strip() == "MOTION")
    except StopIteration:
        raise ValueError(f"{path}: not a BVH file: it has no MOTION section") from None
    skeleton = _read_hierarchy(path, lines[:start])
    values, fps = _read_frames(path, lines, start, sum(map(len, skeleton.channels)))
    return _pose(skeleton, values, fps)


def _read_hierarchy(path: Path, lines: list[str]) -> _Skeleton:
    skeleton = _Skeleton()
    for number, line in enumerate(lines, 1):
        try:
            _read_line(skeleton, line.split())
        except (IndexError, ValueError):
            raise ValueError(f"{path}: line {number}: cannot read {line.strip()!r}") from None
    return skeleton


def _read_line(skeleton: _Skeleton, words: list[str]) -> None:
    match words:
        case ["ROOT" | "JOINT", name]:
            skeleton.add(name)
        case ["End", *_]:
            skeleton.add(f"{skeleton.names[skeleton.open[-1]]}_end")
        case ["{"]:
            skeleton.open.append(len(skeleton.names) - 1)
        case ["}"]:
            skeleton.open.pop()
        case ["OFFSET", x, y, z]:
            skeleton.offsets[-1] = [float(x), float(y), float(z)]
        case ["CHANNELS", _, *channels]:
            skeleton.channels[-1] = channels
        case ["HIERARCHY"] | []:
            pass
        case _:
            raise ValueError


def _read_frames(path: Path, lines: list[str], start: int, width: int) -> tuple[Float64s, float]:
    """(T, width) channel values and the frame rate."""
    header = " ".join(lines[start + 1 : start + 3]).split()
    try:
        count, seconds = int(header[1]), float(header[4])
    except (IndexError, ValueError):
        raise ValueError(f"{path}: line {start + 2}: expected 'Frames: N' and 'Frame Time: s'") from None
    if seconds <= 0:
        raise ValueError(f"{path}: line {start + 3}: expected a positive frame time, got {seconds}")
    try:
        values = np.array(" ".join(lines[start + 3 :]).split(), np.float64)
    except ValueError as err:
        raise ValueError(f"{path}: a frame holds something that is no number: {err}") from err
    if len(values) != count * width:
        raise ValueError(
            f"{path}: expected {count} frames of {width} numbers ({count * width}), got {len(values)} numbers"
        )
    return values.reshape(count, width), 1 / seconds


def _pose(skeleton: _Skeleton, values: Float64s, fps: float) -> BvhMotion:
    """Forward kinematics of every frame and of the rest pose.

    ``values`` (T, C): the channels of every joint in file order, rotations in degrees.
    """
    frames, joints = len(values), len(skeleton.names)
    rotations, positions = np.zeros((frames, joints, 3, 3)), np.zeros((frames, joints, 3))
    rest = np.zeros((joints, 3))
    column = 0
    for j, (parent, offset, channels) in enumerate(
        zip(skeleton.parents, skeleton.offsets, skeleton.channels, strict=True)
    ):
        local, shift = _local(values[:, column : column + len(channels)], channels, np.array(offset))
        column += len(channels)
        if parent < 0:
            rotations[:, j], positions[:, j] = local, shift
            continue
        rest[j] = rest[parent] + offset
        rotations[:, j] = rotations[:, parent] @ local
        positions[:, j] = positions[:, parent] + (rotations[:, parent] @ shift[..., None])[..., 0]
    return BvhMotion(tuple(skeleton.names), np.array(skeleton.parents, np.int64), rest, rotations, positions, fps)


def _local(values: Float64s, channels: list[str], offset: Float64s) -> tuple[Float64s, Float64s]:
    """Rotation (T, 3, 3) and translation (T, 3) of one joint; position channels replace the offset."""
    rotation = np.broadcast_to(np.eye(3), (len(values), 3, 3))
    shift = np.tile(offset, (len(values), 1))
    for value, channel in zip(values.T, channels, strict=True):
        axis = "XYZ".index(channel[0].upper())
        if channel.endswith("position"):
            shift[:, axis] = value
        else:  # in the order of the file, each about the axes that the one before has turned
            rotation = rotation @ rotvec_to_rotmat(np.deg2rad(value)[:, None] * np.eye(3)[axis])
    return rotation, shift
