# SPDX-License-Identifier: Apache-2.0
"""The whole recording: its messages in their order, and each image once what belongs to it has come."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hmr_ros.media.sources import Excerpt
from hmr_ros.recording.entry import Entry
from hmr_ros.ros.bag.diagnosing import Diagnosing
from hmr_ros.ros.bag.following import CameraFollower
from hmr_ros.ros.bag.inputs import Calibration, Depths, Transforms
from hmr_ros.ros.bag.publishing import Write
from hmr_ros.ros.bag.recording import Record, Recording

LOOK_AHEAD_NS = 200_000_000
"""An image is processed when all that was recorded within so long after it has been read: its depth, its transforms and
its calibration may have come a little later."""

TF, TF_STATIC = "/tf", "/tf_static"

_PRESCAN_NS = 5_000_000_000
"""In the beginning of a recording calibration and static transforms are looked for, for the images before them."""

_RATE_IMAGES, _DEFAULT_RATE_HZ = 12, 10.0


@dataclass(frozen=True, eq=False)
class Station:
    """A camera with the parts that receive messages for it."""

    follower: CameraFollower
    calibration: Calibration
    depths: Depths | None
    diagnosing: Diagnosing


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of an image of the camera ``number``: its ``entry``; or the ``reason`` why there is none."""

    number: int
    entry: Entry | None
    reason: str = ""


@dataclass(frozen=True, eq=False)
class _Waiting:
    """An image of the camera ``number``, its ``index``-th, that waits for what belongs to it."""

    number: int
    index: int
    record: Record


class Replay:
    """Reads ``recording`` once; ``write`` takes all of its messages where they are merged into the result.

    Images in ``excerpt`` and recorded from ``resumes_ns`` on are processed; what belongs to them is read from the
    beginning.
    """

    def __init__(
        self,
        recording: Recording,
        stations: Sequence[Station],
        transforms: Transforms,
        excerpt: Excerpt,
        write: Write | None = None,
        resumes_ns: int = 0,
    ) -> None:
        self._recording = recording
        self._stations = stations
        self._transforms = transforms
        self._excerpt = excerpt
        self._write = write
        self._resumes_ns = resumes_ns
        self._began_ns = 0
        self._images = [0] * len(stations)
        self._in_excerpt = [0] * len(stations)

    def outcomes(self) -> Iterator[Outcome]:
        """What comes of each image, in the order in which they were recorded."""
        waiting: deque[_Waiting] = deque()
        for record in self._recording.records(None if self._write is not None else self._topics()):
            self._began_ns = self._began_ns or record.log_ns
            while waiting and record.log_ns - waiting[0].record.log_ns > LOOK_AHEAD_NS:
                yield self._processed(waiting.popleft())
            if self._write is not None and record.log_ns >= self._resumes_ns:
                self._write(self._recording.topics[record.topic], record)
            waiting.extend(self._received(record))
        while waiting:
            yield self._processed(waiting.popleft())

    def end(self) -> None:
        """Publish the end of all tracks and the last diagnostics."""
        for station in self._stations:
            station.follower.close()
            station.diagnosing.end()

    def _topics(self) -> set[str]:
        names = {TF, TF_STATIC}
        for station in self._stations:
            topics = station.follower.topics
            names |= {topics.topic, topics.info} | ({topics.depth} - {""})
        return names

    def _received(self, record: Record) -> Iterator[_Waiting]:
        """Hand ``record`` to whom it belongs; yield it for the cameras whose image it is."""
        if record.topic in (TF, TF_STATIC):
            self._transforms.receive(record.data, is_static=record.topic == TF_STATIC)
            return
        for number, station in enumerate(self._stations):
            topics = station.follower.topics
            if record.topic == topics.info:
                station.calibration.receive(record.data)
            elif record.topic == topics.depth and station.depths is not None:
                station.depths.receive(record.data)
            elif record.topic == topics.topic:
                if self._is_wanted(number, record):
                    yield _Waiting(number, self._images[number], record)
                self._images[number] += 1

    def _is_wanted(self, number: int, record: Record) -> bool:
        excerpt, time_s = self._excerpt, (record.log_ns - self._began_ns) * 1e-9
        if not excerpt.start_s - 1e-6 <= time_s < excerpt.start_s + excerpt.seconds - 1e-6:
            return False
        self._in_excerpt[number] += 1
        return (self._in_excerpt[number] - 1) % excerpt.every == 0 and record.log_ns >= self._resumes_ns

    def _processed(self, image: _Waiting) -> Outcome:
        station = self._stations[image.number]
        outcome = station.follower.process(image.record, image.index)
        if isinstance(outcome, Entry):
            station.diagnosing.observe(image.record.log_ns, outcome)
            return Outcome(image.number, outcome)
        station.diagnosing.observe(image.record.log_ns, None)
        return Outcome(image.number, None, outcome)


def prescan(
    recording: Recording, stations: Sequence[tuple[str, str, Calibration]], transforms: Transforms
) -> list[float]:
    """Read the beginning of ``recording`` for calibration and static transforms.

    ``stations`` are the topics of images and calibration of each camera. Returns their rates of images, Hz.
    """
    stamps: list[list[int]] = [[] for _ in stations]
    began_ns = None
    names = {TF_STATIC, *(image for image, _, _ in stations), *(info for _, info, _ in stations)}
    for record in recording.records(names):
        began_ns = record.log_ns if began_ns is None else began_ns
        if record.log_ns - began_ns > _PRESCAN_NS:
            break
        if record.topic == TF_STATIC:
            transforms.receive(record.data, is_static=True)
        for number, (image, info, calibration) in enumerate(stations):
            if record.topic == image:
                stamps[number].append(record.log_ns)
            elif record.topic == info and not calibration.is_known:
                calibration.receive(record.data)
        if all(len(of) >= _RATE_IMAGES for of in stamps) and all(each.is_known for _, _, each in stations):
            break
    return [_rate_hz(of) for of in stamps]


def _rate_hz(stamps_ns: Sequence[int]) -> float:
    if len(stamps_ns) < 2 or stamps_ns[-1] <= stamps_ns[0]:
        return _DEFAULT_RATE_HZ
    return (len(stamps_ns) - 1) / ((stamps_ns[-1] - stamps_ns[0]) * 1e-9)
