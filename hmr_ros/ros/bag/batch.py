# SPDX-License-Identifier: Apache-2.0
"""One run over a recording: its cameras, the parts that each of them needs, the result and the files."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType

from hmr_ros.core.config import RobotConfig
from hmr_ros.perception.pipeline import Pipeline
from hmr_ros.perception.shared import SharedParts
from hmr_ros.recording import directory
from hmr_ros.recording.entry import Writer
from hmr_ros.recording.saving import Images, writers_of
from hmr_ros.recording.stopping import Stopping
from hmr_ros.recording.tally import Summary, Tally
from hmr_ros.ros.bag.cameras import CameraTopics, chosen, earlier_results
from hmr_ros.ros.bag.diagnosing import Diagnosing
from hmr_ros.ros.bag.following import CameraFollower, Equipment
from hmr_ros.ros.bag.inputs import Calibration, Depths, Transforms
from hmr_ros.ros.bag.opening import open_recording
from hmr_ros.ros.bag.options import Options
from hmr_ros.ros.bag.publishing import Clock, FilePublishers, Write
from hmr_ros.ros.bag.recording import Record, Recording, RecordingError, Report, Topic
from hmr_ros.ros.bag.replaying import Replay, Station, prescan
from hmr_ros.ros.bag.result import Result
from hmr_ros.ros.bag.resuming import Interrupted, carry_over, latest, shorten_json_lines
from hmr_ros.ros.input.camera_model import is_rectified
from hmr_ros.ros.output.person_frames import frame_pool
from hmr_ros.ros.output.shared import SharedOutputs
from hmr_ros.ros.output.tracked import TrackedLists

Build = Callable[[RobotConfig, SharedParts], Pipeline]
"""Opens the networks of one camera; those of all cameras share parts."""

_EARLIER = ".earlier.mcap"
"""The result of the run to go on from, while it is carried over."""

_FRAME_LETTERS = "file"
"""Of people's frames, where they are not named by id: the same in every run, so that the same result comes out."""

_MOST_OF_A_KIND = 3
"""Reports that differ in numbers alone: a damaged recording has as many problems as images."""


class Batch:
    """The recording in ``path``, opened; a context manager. Raises RecordingError, before any network is opened."""

    def __init__(self, path: Path, options: Options, report: Report) -> None:
        self._options = options
        self._report = Once(report)
        self._check(options)
        self._recording = open_recording(path, self._report)
        try:
            self._cameras = chosen(self._recording.topics, options.images, options.depth, self._report)
            self._began_ns = _beginning(self._recording, path)
        except RecordingError:
            self._recording.close()
            raise
        self._earlier: Interrupted | None = None
        self._frames = frame_pool(_FRAME_LETTERS)

    @property
    def image_count(self) -> int:
        """The number of images that will be looked at; 0: unknown."""
        counts = [self._recording.topics[camera.topic].count for camera in self._cameras]
        return sum(counts) if all(counts) else 0

    def resume(self, out: Path) -> None:
        """Go on with the run that was interrupted in ``out``. Raises RecordingError where there is none."""
        self._earlier = latest(out / directory.MCAP, out / _EARLIER, self._report)
        until_s = (self._earlier.resumes_ns - self._began_ns) * 1e-9
        for camera in self._cameras:
            shorten_json_lines(self._directory(out, camera) / directory.JSON_LINES, until_s)
        self._report(f"going on at {until_s:.1f} s: people get new ids there; npz and overlay begin there")

    def run(self, out: Path, build: Build, advance: Callable[[], None], stopping: Stopping) -> Summary:
        """Process all images, and write into ``out``; all files are closed whatever happens."""
        transforms = Transforms(self._report)
        calibrations = [self._calibration(camera) for camera in self._cameras]
        seen = [(camera.topic, camera.info, of) for camera, of in zip(self._cameras, calibrations, strict=True)]
        rates_hz = prescan(self._recording, seen, transforms)
        parts = SharedParts()
        parts.ids = itertools.count(self._earlier.first_id if self._earlier is not None else 1)
        with contextlib.ExitStack() as closing:
            pipelines = [closing.enter_context(build(self._options.config, parts)) for _ in self._cameras]
            write = self._opened_result(out, closing)
            stations, writers = [], []
            for topics, calibration, pipeline in zip(self._cameras, calibrations, pipelines, strict=True):
                stations.append(self._station(topics, calibration, pipeline, write, transforms))
            for topics, pipeline, rate_hz in zip(self._cameras, pipelines, rates_hz, strict=True):
                writers.append(list(self._writers(out, topics, rate_hz, pipeline)))
                for writer in writers[-1]:
                    closing.callback(writer.close)
            replay = self._replay(stations, transforms, write)
            summary = self._looped(replay, writers, advance, stopping)
        (out / _EARLIER).unlink(missing_ok=True)
        return summary

    def __enter__(self) -> Batch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._recording.close()

    def _check(self, options: Options) -> None:
        if options.merges and "mcap" not in options.saved:
            raise RecordingError("--merge: the messages go into bodies.mcap; --save mcap")
        if options.config.detections.is_external:
            raise RecordingError("detections.source: the images of a recording are searched; leave it at search")
        if options.config.use_depth and not options.depth:
            raise RecordingError("use_depth: which topic holds the depth? Give --depth TOPIC")

    def _directory(self, out: Path, camera: CameraTopics) -> Path:
        """Where the files of ``camera`` go: each of several has its own directory."""
        return out if len(self._cameras) == 1 else out / camera.name

    def _opened_result(self, out: Path, closing: contextlib.ExitStack) -> Write:
        """What puts messages into the result, which ``closing`` completes."""
        if "mcap" not in self._options.saved:
            return lambda _topic, _record: None
        result = closing.enter_context(contextlib.closing(Result(out / directory.MCAP)))
        if self._earlier is not None:
            carry_over(out / _EARLIER, result, self._earlier.resumes_ns)
        return result.write

    def _calibration(self, camera: CameraTopics) -> Calibration:
        rectified = is_rectified(self._options.config.rectified, camera.base)
        options = self._options
        return Calibration(camera.info, options.assumed, self._report, is_given=options.is_given, rectified=rectified)

    def _station(
        self, topics: CameraTopics, calibration: Calibration, pipeline: Pipeline, write: Write, transforms: Transforms
    ) -> Station:
        clock, config = Clock(self._began_ns), self._options.config
        publishers = FilePublishers(write, clock, topics.namespace, transforms, self._report)
        depths = Depths(topics.depth, config, self._report) if topics.depth else None
        shared = SharedOutputs(TrackedLists(publishers), self._frames)
        equipment = Equipment(pipeline, publishers, shared, clock, calibration, depths)
        follower = CameraFollower(topics, equipment, config, self._began_ns)
        return Station(follower, calibration, depths, Diagnosing(publishers, clock, follower.drops))

    def _writers(self, out: Path, topics: CameraTopics, rate_hz: float, pipeline: Pipeline) -> Iterator[Writer]:
        where, options = self._directory(out, topics), self._options
        where.mkdir(parents=True, exist_ok=True)
        images = Images(rate_hz / options.excerpt.every, pipeline.faces)
        return writers_of(options.saved, where, images, options.mesh_every, appends=self._earlier is not None)

    def _replay(self, stations: Sequence[Station], transforms: Transforms, write: Write) -> Replay:
        resumes_ns = self._earlier.resumes_ns if self._earlier is not None else 0
        merged = self._merging(write) if self._options.merges else None
        return Replay(self._recording, stations, transforms, self._options.excerpt, merged, resumes_ns)

    def _merging(self, write: Write) -> Write:
        """``write`` for the recording's own messages, but those of an earlier run, which this one replaces."""
        replaced = earlier_results(self._recording.topics)
        if replaced:
            self._report(f"bodies of an earlier run are left out of the result ({len(replaced)} topics)")

        def writing(topic: Topic, record: Record) -> None:
            if topic.name not in replaced:
                write(topic, record)

        return writing

    def _looped(
        self, replay: Replay, writers: Sequence[Sequence[Writer]], advance: Callable[[], None], stopping: Stopping
    ) -> Summary:
        """Hand the bodies in each image to the writers of its camera. A request to stop is met between two images."""
        tally = Tally()
        for outcome in replay.outcomes():
            advance()
            if outcome.entry is None:
                tally.miss()
                self._report(outcome.reason)
            else:
                for writer in writers[outcome.number]:
                    writer.write(outcome.entry)
                tally.add(outcome.entry, outcome.number)
            if stopping.requested:
                break
        replay.end()
        return tally.summary(interrupted=stopping.requested)


class Once:
    """Reports each text once, and a few of those that differ in numbers alone."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._texts: set[str] = set()
        self._kinds: Counter[str] = Counter()

    def __call__(self, text: str) -> None:
        """Report ``text`` unless it, or enough of its kind, was."""
        kind = re.sub(r"\d+", "#", text)
        if not text or text in self._texts or self._kinds[kind] == _MOST_OF_A_KIND:
            return
        self._texts.add(text)
        self._kinds[kind] += 1
        more = " (and more of this kind)" if self._kinds[kind] == _MOST_OF_A_KIND else ""
        self._report(f"{text}{more}")


def _beginning(recording: Recording, path: Path) -> int:
    """The time of the first message, ns. Raises RecordingError where there is none."""
    for record in recording.records():
        return record.log_ns
    raise RecordingError(f"{path}: no messages in this recording")
