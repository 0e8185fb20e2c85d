# SPDX-License-Identifier: Apache-2.0
"""`hmr evaluate-cameras`: people in synthetic rooms with two to four cameras, fused, against the truth.

Keypoints have a detector's measured errors, or are found in rendered images (--rendered); tracker, network and
smoothing are the robot's own. Clocks are up to 50 ms apart, and one camera's pose is wrong by 3 cm and 2 degrees
(docs/cameras.md).
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import itertools
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from numpy.random import Generator, default_rng
from tqdm import tqdm

from hmr_ros.core.arrays import Image
from hmr_ros.core.body.body_model import BodyModel, load_body_model
from hmr_ros.core.config import PipelineSettings
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.temporal.smoothing import BodySmoother
from hmr_ros.engines.opening import open_engine
from hmr_ros.engines.runtime import Engine
from hmr_ros.evaluation.rooms.cameras import GivenDetector, Said, said_by_all
from hmr_ros.evaluation.rooms.drawing import draw_room
from hmr_ros.evaluation.rooms.halls import sample_hall
from hmr_ros.evaluation.rooms.renders import RoomPainter, said_of_images
from hmr_ros.evaluation.rooms.report import RoomRow, row, table
from hmr_ros.evaluation.rooms.scenes import Errors, Room, sample_room
from hmr_ros.evaluation.rooms.trial import KINDS, Outcome, fused, wrong_rooms
from hmr_ros.media.images import write_image_file
from hmr_ros.perception.assemble import assemble
from hmr_ros.perception.pipeline import Pipeline
from hmr_ros.perception.pose2mesh import Pose2Mesh
from hmr_ros.perception.rooms.fuser import RoomFuser
from hmr_ros.perception.rooms.options import FusingOptions
from hmr_ros.perception.rooms.room import bodies_of
from hmr_ros.perception.shared import SharedParts
from hmr_ros.perception.tracker import Tracker
from hmr_ros.results.report_file import write_report
from hmr_ros.training.datasets.motion import load_motion

EXAMPLES = ("hmr evaluate-cameras models/pose2mesh.json --motion motion.npz",)

CAMERAS = (2, 3, 4)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("model", type=Path, help="manifest (.json) of a network that reads keypoints")
    parser.add_argument("--motion", type=Path, required=True, help="motion file (docs/motion_format.md)")
    parser.add_argument("--split", default="val", help="split of --motion (%(default)s)")
    parser.add_argument("--rooms", type=int, default=12, help="number of rooms (%(default)s)")
    parser.add_argument("--people", type=int, default=4, help="people in each (%(default)s)")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each, s (%(default)s)")
    parser.add_argument(
        "--rendered", action="store_true", help="render images, in which the robot's detector finds the people"
    )
    parser.add_argument(
        "--halls",
        action="store_true",
        help="halls with two cameras back to back, between which no person is seen, in place of rooms",
    )
    parser.add_argument(
        "--looks",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="tell people of rendered images apart by their clothes, too (%(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same rooms (%(default)s)")
    parser.add_argument("--json", type=Path, help="JSON file for the report")
    parser.add_argument("--image", type=Path, help="PNG of the last room in its middle")


def run(args: argparse.Namespace) -> int:
    """Evaluate and print the table."""
    if args.rooms < 1 or args.people < 1 or args.seconds < 2:
        raise ValueError("--rooms, --people: expected at least 1; --seconds: at least 2")
    body, motion = load_body_model(models_dir() / "open_body.npz"), load_motion(args.motion).select(args.split)
    evaluation = _Evaluation(body)
    with contextlib.closing(open_engine(args.model)) as engine:
        for number in tqdm(range(args.rooms), unit="room"):
            rng = default_rng((args.seed, number))
            if args.halls:
                room = sample_hall(motion, body, args.people, args.seconds, Errors(), rng)
            else:
                cameras = CAMERAS[number % len(CAMERAS)]
                room = sample_room(motion, body, cameras, args.people, args.seconds, Errors(), rng)
            if args.rendered:
                painter = RoomPainter(room, body, args.seed + number)
                said = said_of_images(room, _whole_pipelines(args.model), painter)
                said = said if args.looks else [dataclasses.replace(each, looks=None) for each in said]
            else:
                said = said_by_all(room, _pipelines(engine, body), rng)
            evaluation.add(room, said, rng)
    data = f"{args.motion}, split {args.split}, seed {args.seed}{', rendered' if args.rendered else ''}"
    print(f"{args.model} in rooms with several cameras, {data}\n{table(evaluation.rows())}")
    write_report(args.json, vars(args), {"model": str(args.model), "data": data, "rows": evaluation.rows()})
    if args.image:
        args.image.parent.mkdir(parents=True, exist_ok=True)
        write_image_file(args.image, evaluation.image())
    return 0


class _Evaluation:
    """The outcomes of rooms, by what is wrong with their cameras and the number of these."""

    def __init__(self, body: BodyModel) -> None:
        self._body = body
        self._outcomes: dict[tuple[str, int], list[Outcome]] = defaultdict(list)
        self._wrong: dict[tuple[str, int], tuple[int, ...]] = {}
        self._last: tuple[Room, list[Said]] | None = None

    def add(self, room: Room, said: list[Said], rng: Generator) -> None:
        """Fuse one more room, as it is and with grossly wrong cameras."""
        self._last = room, said
        for kind, (each, refused) in {KINDS[0]: (room, ()), **wrong_rooms(room, rng)}.items():
            key = kind, len(room.cameras)
            self._outcomes[key].append(fused(each, said, self._body, FusingOptions()))
            self._wrong[key] = refused

    def rows(self) -> list[RoomRow]:
        """The rows of the table."""
        keys = sorted(self._outcomes, key=lambda key: (KINDS.index(key[0]), key[1]))
        return [row(kind, cameras, self._outcomes[kind, cameras], self._wrong[kind, cameras]) for kind, cameras in keys]

    def image(self) -> Image:
        """The last room in its middle."""
        assert self._last is not None, "there is a room at least"
        room, said = self._last
        said = [each for each in said if each.time_s <= room.seconds / 2]
        fuser = RoomFuser(self._body)
        for each in said:
            camera = room.cameras[each.camera]
            fuser.add(each.bodies, camera.name, each.stamp_s, camera.stated, each.looks)
        bodies = bodies_of(fuser, fuser.stamp_s, self._body)
        return draw_room(room, said, bodies, said[-1].time_s, self._body.faces)


def _pipelines(engine: Engine, body: BodyModel) -> Callable[[], Pipeline]:
    """Opens the pipelines of a room's cameras, which give no id twice."""
    ids = itertools.count(1)

    def opened() -> Pipeline:
        return Pipeline(GivenDetector(), Tracker(ids=ids), Pose2Mesh(engine, body), BodySmoother(body), body)

    return opened


def _whole_pipelines(model: Path) -> Callable[[], Pipeline]:
    """Opens the pipelines of a room's cameras with the robot's detector; they share networks, and give no id twice."""
    settings, parts = PipelineSettings(model_path=str(model)), SharedParts()
    return lambda: assemble(settings, parts)
