# SPDX-License-Identifier: Apache-2.0
"""The run of the demo: start the processes, record what they publish, draw it, report."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hmr_ros.core.arrays import Image
from hmr_ros.core.body.body_model import BodyModel, load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.people import Bodies, State
from hmr_ros.demo import scene, tape, view3d
from hmr_ros.demo.compare import beside_pose2mesh
from hmr_ros.demo.report import Report, disagreements
from hmr_ros.media import images, video
from hmr_ros.perception.overlay import draw_bodies
from hmr_ros.results.floor import floor_at
from hmr_ros.ros.player.recorder import Moment, Recorder
from hmr_ros.ros.player.session import Session
from hmr_ros.ros.player.shots import Show, open_show
from hmr_ros.ros.wire.reading import bodies_from_message
from hmr_ros.tools.ros_process import RosProcess, prepare_environment

_WEBCAM_SECONDS = 20.0
_NAMESPACE = f"hmr_demo_{os.getpid()}"
"""Unique, so that two demos at once do not receive each other's messages."""
_QUIET = "input_timeout_s:=10.0"
"""The player starts after the node and ends before it; the node must not report missing images meanwhile."""
_STARTUP_S = 60.0
_DRAIN_S = 1.5
"""Time without messages after which the node has processed the last image."""
_SPIN_S = 0.2
_SHEET_TILES = 9

Drawing = Callable[[Moment, Bodies], Image]
"""One moment as an image; called in the order of the moments."""


class DemoError(RuntimeError):
    """The demo could not run; the message says why and what to do."""


@dataclass(frozen=True)
class Options:
    """What to play, how the node is set, and where the files go; None: the default of the player or the node.

    ``seconds``: when to stop; ``rate``: images per second; ``fov``: angle of the longer image side in degrees;
    ``camera_info``: a calibration file instead; ``parameters`` of the node, each as NAME:=VALUE.
    """

    source: str
    out: Path
    model: str | None = None
    seconds: float | None = None
    rate: float | None = None
    fov: float | None = None
    camera_info: Path | None = None
    parameters: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class Recording:
    """The result of a run: moments, number of images, topic rates, peak memory by process (MiB)."""

    moments: list[Moment]
    image_count: int
    rates_hz: dict[str, float]
    memory_mib: dict[str, float]


class People:
    """Poses the bodies of messages; numbers people in the order of their first appearance, which gives their colour."""

    def __init__(self, body_model: BodyModel) -> None:
        self._body_model = body_model
        self._numbers: dict[str, int] = {}

    @property
    def count(self) -> int:
        """Number of different ids."""
        return len(self._numbers)

    def of(self, moment: Moment) -> Bodies:
        """The bodies of one moment, without TENTATIVE ones, which may be false detections."""
        bodies, names = bodies_from_message(moment.message, self._body_model)
        rows = np.flatnonzero(bodies.states != State.TENTATIVE)
        numbers = [self._numbers.setdefault(names[row], len(self._numbers)) for row in rows]
        return replace(bodies.take(rows), ids=np.array(numbers, np.int64))


def play(options: Options) -> None:
    """Run the whole demo and write its files; raises SourceError or DemoError."""
    source = open_show(options.source)
    prepare_environment()
    recording = record(source, options)
    if not recording.moments:
        raise DemoError("no image came back from the node; its messages above say why")
    body_model = load_body_model(models_dir() / "open_body.npz")
    people = People(body_model)
    all_bodies = [people.of(moment) for moment in recording.moments]
    options.out.mkdir(parents=True, exist_ok=True)
    draw = _drawing(body_model, recording)
    files = write_images(options.out, source, recording, all_bodies, body_model, draw)
    print(Report(recording.moments, recording.image_count, recording.rates_hz, recording.memory_mib, people.count))
    for path in files:
        print(f"  {path}")
    path = options.out / tape.NAME
    if tape.write_tape(path, recording.moments, body_model):
        print(f"  {path}  {tape.HOW_TO_OPEN}")
    else:
        print(f"no {path}: pip install mcap")
    path = options.out / scene.NAME
    if scene.write_scene(path, recording.moments, body_model):
        print(f"  {path}  rerun {path} opens it")
    else:
        print(f"no {path}: pip install rerun-sdk (docs/view.md)")


def record(source: Show, options: Options) -> Recording:
    """Run player and node as processes and record what they publish."""
    limit_s = options.seconds or (_WEBCAM_SECONDS if source.live else float("inf"))
    session = Session(_NAMESPACE, Recorder)
    model = [f"model:={options.model}"] if options.model else []
    node = RosProcess("hmr_ros.ros.node.node", _NAMESPACE, parameters=[_QUIET, *model, *options.parameters])
    # The player waits for two subscribers: the node, which is loading its networks, and us.
    player = RosProcess(
        "hmr_ros.ros.player.player", _NAMESPACE, [options.source, "--wait", "2", *_player_arguments(options)]
    )
    try:
        _receive(session, node, player, source, limit_s)
        memory = {"node": node.peak_memory_mib, "player": player.peak_memory_mib}
    finally:
        player.stop()
        node.stop()
        session.close()
    recorder = session.node
    return Recording(recorder.moments, recorder.image_count, recorder.rates_hz(), memory)


def _receive(session: Session[Recorder], node: RosProcess, player: RosProcess, source: Show, limit_s: float) -> None:
    """Receive until the player has ended and the node has processed everything, or until the limit."""
    recorder = session.node
    started_s = first_image_s = time.monotonic()
    while player.running and time.monotonic() - first_image_s < limit_s:
        session.spin(_SPIN_S)
        node.watch()
        player.watch()
        if not recorder.image_count:
            first_image_s = time.monotonic()
            if first_image_s - started_s > _STARTUP_S:
                raise DemoError(f"no image within {_STARTUP_S:.0f} s; run `hmr doctor`")
        if not node.running:
            raise DemoError(f"the node ended with status {node.exit_status}; its messages above say why")
        _show_progress("playing", recorder.image_count, source.count)
    player.stop()
    if player.exit_status not in (0, None, -2):
        raise DemoError(f"the player ended with status {player.exit_status}; its messages above say why")
    while time.monotonic() - recorder.last_bodies_s < _DRAIN_S:
        session.spin(_SPIN_S)
    _end_progress()


def _player_arguments(options: Options) -> list[str]:
    rate = ["--rate", str(options.rate)] if options.rate else []
    if options.camera_info:
        return [*rate, "--camera-info", str(options.camera_info)]
    return [*rate, "--fov", str(options.fov)] if options.fov else rate


def _drawing(body_model: BodyModel, recording: Recording) -> Drawing:
    """Meshes over the image; with two methods, an image for each, side by side."""
    if len(disagreements(recording.moments)):
        return beside_pose2mesh(body_model)
    return lambda moment, bodies: draw_bodies(moment.image(), bodies, moment.camera, body_model.faces)


def write_images(
    out: Path,
    source: Show,
    recording: Recording,
    all_bodies: list[Bodies],
    body_model: BodyModel,
    draw: Drawing,
) -> list[Path]:
    """Draw the recording; the paths of the files."""
    moments = recording.moments
    files = [out / "overlay.mp4", out / "sheet.png"]
    shown = _evenly_spaced(all_bodies, _SHEET_TILES)
    tiles: list[Image] = []

    def drawn() -> Iterator[Image]:
        for i, (moment, bodies) in enumerate(zip(moments, all_bodies, strict=True)):
            overlay = draw(moment, bodies)
            if i in shown:
                tiles.append(overlay)
            _show_progress("drawing", i + 1, len(moments))
            yield overlay
        _end_progress()

    # The rate of the source, whatever rate it was played at; that of a live source is the rate of its bodies.
    fraction = len(moments) / max(recording.image_count, 1)
    rate_hz = (recording.rates_hz["bodies"] if source.live else source.rate_hz * fraction) or source.rate_hz
    video.write_video(files[0], drawn(), rate_hz)
    images.write_image_file(files[1], images.contact_sheet(tiles))
    # What is known of sizes and the ground grows: the later moments are the better ones.
    best = max(range(len(moments)), key=lambda i: (int(all_bodies[i].valid.sum()), i))
    camera, bodies = moments[best].camera, all_bodies[best].take(all_bodies[best].valid)
    floor = floor_at(all_bodies, best)
    if floor is not None and camera is not None:
        files.append(out / "space.png")
        images.write_image_file(
            files[-1], view3d.draw_view(moments[best].image(), bodies, camera, body_model.faces, floor)
        )
    return files


def _evenly_spaced(all_bodies: list[Bodies], count: int) -> set[int]:
    """Up to ``count`` moments, evenly spaced among those with people, or among all if there are none."""
    peopled = [i for i, bodies in enumerate(all_bodies) if len(bodies)] or list(range(len(all_bodies)))
    return {peopled[k] for k in np.linspace(0, len(peopled) - 1, min(count, len(peopled))).round().astype(int)}


def _show_progress(label: str, done: int, total: int) -> None:
    """Progress on one line of a terminal; nothing in a log."""
    if not sys.stderr.isatty():
        return
    bar = f"{done}/{total} [{'#' * (30 * min(done, total) // total):30}]" if total else str(done)
    print(f"\r{label} {bar}", end="", file=sys.stderr, flush=True)


def _end_progress() -> None:
    if sys.stderr.isatty():
        print(file=sys.stderr)
