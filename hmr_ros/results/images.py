# SPDX-License-Identifier: Apache-2.0
"""The images that bodies were estimated from, beside them again."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hmr_ros.core.arrays import Image
from hmr_ros.core.people import Camera
from hmr_ros.media.sources import Unreadable, open_source
from hmr_ros.results.snapshot import Snapshot
from hmr_ros.ros.bag.cameras import CameraTopics, chosen
from hmr_ros.ros.bag.opening import is_recording, open_recording
from hmr_ros.ros.bag.recording import Record, Recording, RecordingError, Report
from hmr_ros.ros.input.bit_depth import BitDepth
from hmr_ros.ros.input.camera_model import BadCameraInfoError, camera_from_info, described_size, is_rectified
from hmr_ros.ros.input.images import DECODERS, BadImageError
from hmr_ros.ros.wire.cdr import CdrError, stamp_of
from hmr_ros.ros.wire.decoding import deserialise
from hmr_ros.ros.wire.types import CameraInfo


@dataclass(frozen=True, eq=False)
class SourceImage:
    """One image of a source: ``number`` counts them from 0; ``stamp_ns`` is that of its message, None of a video.

    ``decode`` gives (H, W, 3) uint8 RGB, None where the image is damaged.
    """

    number: int
    stamp_ns: int | None
    decode: Callable[[], Image | None]

    def key(self, snapshot: Snapshot) -> int:
        """What is to be equal to ``_wanted`` of its snapshot."""
        return self.number if snapshot.header_ns is None or self.stamp_ns is None else self.stamp_ns


@dataclass(frozen=True, eq=False)
class SourceImages:
    """The images of a source in their order, and the ``camera`` that took them, None where the source does not say."""

    images: Iterator[SourceImage]
    camera: Camera | None = None

    def beside(self, snapshots: Iterable[Snapshot]) -> Iterator[Snapshot]:
        """``snapshots`` with their images: those of the same stamp or, without stamps, of the same number."""
        waiting: SourceImage | None = None
        for snapshot in snapshots:
            wanted = snapshot.number if snapshot.header_ns is None else snapshot.header_ns
            waiting = waiting or next(self.images, None)
            while waiting is not None and waiting.key(snapshot) < wanted:
                waiting = next(self.images, None)
            image = None
            if waiting is not None and waiting.key(snapshot) == wanted:
                image, waiting = waiting.decode(), None
            yield dataclasses.replace(snapshot, image=image, camera=snapshot.camera or self.camera)


@contextlib.contextmanager
def opened(path: Path, topic: str, report: Report) -> Iterator[SourceImages]:
    """The images of a video, photo, directory or recording, of this its ``topic``, "": the likeliest.

    Raises SourceError, with the remedy, where there are none.
    """
    if not is_recording(path):
        yield SourceImages(_of_source(path))
        return
    with contextlib.closing(open_recording(path, report)) as recording:
        (topics,) = chosen(recording.topics, [topic] if topic else [], "", report)
        yield SourceImages(_of_recording(recording, topics), _camera(recording, topics, report))


def has_images(path: Path, report: Report) -> bool:
    """Whether the recording ``path`` has images of a camera."""
    with contextlib.closing(open_recording(path, report)) as recording:
        try:
            return bool(chosen(recording.topics, [], "", lambda _text: None))
        except RecordingError:
            return False


def _of_source(path: Path) -> Iterator[SourceImage]:
    for frame in open_source(str(path)).frames():
        if not isinstance(frame, Unreadable):
            yield SourceImage(frame.index, None, frame.rgb)


def _of_recording(recording: Recording, topics: CameraTopics) -> Iterator[SourceImage]:
    depth = BitDepth()
    for number, record in enumerate(recording.records({topics.topic})):
        try:  # what has no stamp got the time at which it was recorded
            stamp_ns = stamp_of(record.data).nanoseconds or record.log_ns
        except CdrError:
            continue
        yield SourceImage(number, stamp_ns, partial(_decoded, record, topics.transport, depth))


def _decoded(record: Record, transport: str, depth: BitDepth) -> Image | None:
    try:
        return DECODERS[transport](record.data, depth).image
    except (BadImageError, CdrError):
        return None


def _camera(recording: Recording, topics: CameraTopics, report: Report) -> Camera | None:
    """The first calibration in the recording, None without a usable one."""
    rectified = is_rectified("auto", topics.base)
    for record in recording.records({topics.info}):
        try:
            info = deserialise(record.data, CameraInfo)
            return camera_from_info(info, *described_size(info), rectified=rectified)
        except (CdrError, BadCameraInfoError) as err:
            report(f"{topics.info} is unusable: {err}: the camera is not shown")
            return None
    return None
