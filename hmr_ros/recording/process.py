# SPDX-License-Identifier: Apache-2.0
"""Source -> pipeline -> writers: the loop of `hmr run`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence

from hmr_ros.core.people import Camera
from hmr_ros.media.sources import Frame, PhotoSource, Source, Unreadable
from hmr_ros.perception.pipeline import Pipeline
from hmr_ros.recording.entry import Entry, Writer, unique_stems
from hmr_ros.recording.given import NOTHING_GIVEN, GivenDetections
from hmr_ros.recording.stopping import Stopping
from hmr_ros.recording.tally import Summary, Tally

Cameras = Callable[[int, int], Camera]
"""Width and height of an image in px -> the camera that took it; ValueError where that is not known."""

Estimate = Callable[[Frame], Entry]
"""Finds the bodies of one image."""


def estimator(source: Source, pipeline: Pipeline, cameras: Cameras, given: GivenDetections = NOTHING_GIVEN) -> Estimate:
    """Photos are independent of one another, and their people count at once; frames of a video are a sequence.

    ``given``: the people that another detector has found. An image with detections that cannot be used is a ValueError.
    """
    if isinstance(source, PhotoSource):
        return _photos(source, pipeline, cameras, given)
    return _sequence(pipeline, cameras, given)


def record(
    frames: Iterable[Frame | Unreadable],
    estimate: Estimate,
    writers: Sequence[Writer],
    report: Callable[[Unreadable], None],
    stopping: Stopping,
) -> Summary:
    """Hand the bodies of all ``frames`` to the ``writers``, and close these whatever happens.

    What is unreadable is reported, and the next image is taken. A request to stop is met between two images, so that
    all files hold the same ones.
    """
    tally = Tally()
    with contextlib.ExitStack() as open_writers:
        for writer in writers:
            open_writers.callback(writer.close)
        for frame in frames:
            if stopping.requested:
                break
            if isinstance(frame, Unreadable):
                tally.miss()
                report(frame)
                continue
            entry = estimate(frame)
            for writer in writers:
                writer.write(entry)
            tally.add(entry)
    return tally.summary(interrupted=stopping.requested)


@contextlib.contextmanager
def _named(frame: Frame) -> Iterator[None]:
    """Put the image before the text of a ValueError."""
    try:
        yield
    except ValueError as err:
        raise ValueError(f"{frame.name}, frame {frame.index}: {err}") from err


def _photos(source: PhotoSource, pipeline: Pipeline, cameras: Cameras, given: GivenDetections) -> Estimate:
    stems = unique_stems(source.paths)

    def estimate(frame: Frame) -> Entry:
        image = frame.rgb()
        camera = cameras(image.shape[1], image.shape[0])
        with _named(frame):
            result = pipeline.photo(image, camera, detections=given.of(frame))
        stem = stems[frame.index]
        return Entry(frame.name, frame.index, stem, None, image, camera, result.bodies, hands=result.hands)

    return estimate


def _sequence(pipeline: Pipeline, cameras: Cameras, given: GivenDetections) -> Estimate:
    def estimate(frame: Frame) -> Entry:
        image = frame.rgb()
        camera = cameras(image.shape[1], image.shape[0])
        with _named(frame):
            result = pipeline(image, camera, frame.stamp_s, detections=given.of(frame))
        stem = f"{frame.index:06d}"
        return Entry(
            frame.name,
            frame.index,
            stem,
            frame.stamp_s,
            image,
            camera,
            result.bodies,
            result.lost,
            hands=result.hands,
        )

    return estimate
