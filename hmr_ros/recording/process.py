# SPDX-License-Identifier: Apache-2.0
"""Source -> pipeline -> writers: the loop of `hmr run`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from hmr_ros.core.people import Camera
from hmr_ros.media.sources import Frame, PhotoSource, Source, Unreadable
from hmr_ros.perception.pipeline import Pipeline
from hmr_ros.recording.entry import Entry, Writer, unique_stems
from hmr_ros.recording.given import NOTHING_GIVEN, GivenDetections
from hmr_ros.recording.stopping import Stopping

Cameras = Callable[[int, int], Camera]
"""Width and height of an image in px -> the camera that took it; ValueError where that is not known."""

Estimate = Callable[[Frame], Entry]
"""Finds the bodies of one image."""


@dataclass(frozen=True)
class Summary:
    """What a run came to: images with their bodies written, images that could not be read, bodies, different people.

    ``interrupted``: it was asked to stop, by Ctrl-C or SIGTERM.
    """

    images: int
    unreadable: int
    bodies: int
    people: int
    interrupted: bool


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
    images = unreadable = bodies = 0
    people: set[int] = set()
    with contextlib.ExitStack() as open_writers:
        for writer in writers:
            open_writers.callback(writer.close)
        for frame in frames:
            if stopping.requested:
                break
            if isinstance(frame, Unreadable):
                unreadable += 1
                report(frame)
                continue
            entry = estimate(frame)
            for writer in writers:
                writer.write(entry)
            trusted = entry.trusted()
            images, bodies = images + 1, bodies + len(trusted)
            people.update(trusted.ids.tolist())
    return Summary(images, unreadable, bodies, len(people), stopping.requested)


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
