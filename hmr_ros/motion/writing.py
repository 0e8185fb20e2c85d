# SPDX-License-Identifier: Apache-2.0
"""All motion files of a result."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.geometry.frames import Transform
from hmr_ros.motion.amass_file import write_amass
from hmr_ros.motion.bvh_file import write_bvh
from hmr_ros.motion.collecting import rate_hz, samples_of
from hmr_ros.motion.gltf_file import write_gltf
from hmr_ros.motion.joints_file import joint_motion, write_joints, write_table
from hmr_ros.motion.robot import Robot
from hmr_ros.motion.track import Track, tracks_at
from hmr_ros.perception.overlay import person_color
from hmr_ros.results.snapshot import Snapshot

FORMATS = ("bvh", "amass", "glb", "joints")
"""What may be written."""

Report = Callable[[str], None]


@dataclass(frozen=True)
class MotionOptions:
    """How motion is written: ``formats`` of FORMATS; ``fps``, None: the rate of the images.

    ``people``: names, none: all. Gaps of up to ``max_gap_s`` are filled; what is shorter than ``min_s`` is left out.
    ``robot``: which follows each person, None: none.
    """

    formats: Set[str] = frozenset(FORMATS)
    fps: float | None = None
    people: Sequence[str] = ()
    max_gap_s: float = 0.5
    min_s: float = 1.0
    robot: Robot | None = None

    def __post_init__(self) -> None:
        for name in ("fps", "max_gap_s", "min_s"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value >= 0 and (value or name != "fps")):
                raise ValueError(f"{name}: expected a positive number, got {value}")


def tracks_of(
    snapshots: Sequence[Snapshot], world_from_optical: Transform, options: MotionOptions, report: Report
) -> tuple[Track, ...]:
    """The tracks of the people in ``snapshots`` at a constant rate. What is left out is reported.

    Raises ValueError for photos, and for people who are not there.
    """
    rate = rate_hz(snapshots)
    people = samples_of(snapshots, world_from_optical)
    if unknown := sorted(set(options.people) - {each.name for each in people}):
        there = ", ".join(each.name for each in people) or "no tracks"
        raise ValueError(f"--person {unknown[0]}: not in this result; there are {there}")
    found: list[Track] = []
    for each in people:
        if options.people and each.name not in options.people:
            continue
        tracks = list(tracks_at(each, options.fps or rate, rate, options.max_gap_s))
        long = [track for track in tracks if len(track) / track.fps >= options.min_s]
        if len(long) < len(tracks) or not tracks:
            report(f"{each.name}: what is shorter than {options.min_s:g} s is left out (--min-seconds)")
        found += long
    return tuple(found)


def write_motion(
    out: Path, tracks: Sequence[Track], body_model: BodyModel, options: MotionOptions, *, is_open_body: bool
) -> Iterator[tuple[Path, Track]]:
    """Write ``tracks`` into the directory ``out``; each file with what is in it."""
    out.mkdir(parents=True, exist_ok=True)
    parts: Counter[str] = Counter()
    for number, track in enumerate(tracks):
        parts[track.name] += 1
        stem = track.name if parts[track.name] == 1 else f"{track.name}-{parts[track.name]}"
        for path in _written(out, stem, track, body_model, options, number, is_open_body=is_open_body):
            yield path, track


def _written(
    out: Path,
    stem: str,
    track: Track,
    body_model: BodyModel,
    options: MotionOptions,
    number: int,
    *,
    is_open_body: bool,
) -> Iterator[Path]:
    if "bvh" in options.formats:
        write_bvh(path := out / f"{stem}.bvh", track, body_model)
        yield path
    if "amass" in options.formats:
        write_amass(path := out / f"{stem}_poses.npz", track, body_model, is_open_body=is_open_body)
        yield path
    if "glb" in options.formats:
        write_gltf(path := out / f"{stem}.glb", track, body_model, person_color(number))
        yield path
    if "joints" in options.formats:
        motion = joint_motion(track, body_model)
        write_joints(path := out / f"{stem}.csv", track, motion)
        yield path
        yield path.with_suffix(".urdf")
        from hmr_ros.motion.joints_recording import write_recording  # its library is optional elsewhere

        write_recording(path := out / f"{stem}.mcap", track, motion)
        yield path
    if options.robot is not None:
        yield from _of_robot(out / f"{stem}_robot.csv", track, body_model, options.robot)


def _of_robot(path: Path, track: Track, body_model: BodyModel, robot: Robot) -> Iterator[Path]:
    from hmr_ros.motion.joints_recording import write_states

    angles = robot.follow(joint_motion(track, body_model).angles)
    write_table(path, robot.joints, track.times, angles)
    yield path
    write_states(path := path.with_suffix(".mcap"), robot.joints, angles, track.fps)
    yield path
