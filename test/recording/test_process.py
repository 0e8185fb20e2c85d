# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest

from hmr_ros.core.camera import Camera
from hmr_ros.core.people import Detections
from hmr_ros.media.sources import Frame, PhotoSource, Unreadable, VideoSource
from hmr_ros.perception.pipeline import Result
from hmr_ros.recording.given import GivenDetections
from hmr_ros.recording.process import estimator, record
from hmr_ros.recording.stopping import Stopping
from hmr_ros.recording.tally import Summary
from test.recording.entries import bodies, entry

FRAMES = [Frame(np.full((48, 64, 3), (1, 2, 3), np.uint8), f"{k}.jpg", k, 0.1 * k) for k in range(3)]
BROKEN = Unreadable("broken.jpg", 1, "broken.jpg: not an image")


class Kept:
    """Keeps the indices of its entries; breaks at ``fails_at``."""

    def __init__(self, fails_at=None):
        self.indices, self.closed, self.fails_at = [], False, fails_at

    def write(self, entry):
        if entry.index == self.fails_at:
            raise OSError("disk full")
        self.indices.append(entry.index)

    def close(self):
        self.closed = True


def by_index(frame):
    return entry([1, 10 + frame.index], index=frame.index)


def test_every_writer_gets_every_image_and_is_closed():
    writers = [Kept(), Kept()]
    summary = record(FRAMES, by_index, writers, pytest.fail, Stopping())
    assert [writer.indices for writer in writers] == [[0, 1, 2]] * 2
    assert all(writer.closed for writer in writers)
    assert summary == Summary(images=3, unreadable=0, bodies=6, people=4, interrupted=False)


def test_an_unreadable_image_is_reported_and_the_next_one_taken():
    writer, reported = Kept(), []
    summary = record([FRAMES[0], BROKEN, FRAMES[2]], by_index, [writer], reported.append, Stopping())
    assert writer.indices == [0, 2]
    assert reported == [BROKEN]
    assert (summary.images, summary.unreadable) == (2, 1)


def test_a_request_to_stop_is_met_between_two_images():
    stopping, writers = Stopping(), [Kept(), Kept()]

    def requesting(frame):
        stopping.requested = frame.index == 1
        return by_index(frame)

    summary = record(FRAMES, requesting, writers, pytest.fail, stopping)
    assert [writer.indices for writer in writers] == [[0, 1]] * 2
    assert summary == Summary(images=2, unreadable=0, bodies=4, people=3, interrupted=True)


def test_all_writers_are_closed_when_one_fails():
    writers = [Kept(), Kept(fails_at=1), Kept()]
    with pytest.raises(OSError, match="disk full"):
        record(FRAMES, by_index, writers, pytest.fail, Stopping())
    assert all(writer.closed for writer in writers)


class FakePipeline:
    """Remembers how it was called."""

    def __init__(self):
        self.calls = []

    def photo(self, image, camera, detections=None):
        self.calls.append(("photo", camera.width, image[0, 0].tolist()))
        return Result(bodies([1]))

    def __call__(self, image, camera, stamp_s, detections=None):
        self.calls.append((stamp_s, camera.width, image[0, 0].tolist()))
        return Result(bodies([1]), lost=(9,))


def cameras(width, height):
    return Camera.from_fov(60, width, height)


def test_photos_are_independent_of_one_another():
    pipeline = FakePipeline()
    estimate = estimator(PhotoSource((Path("0.jpg"), Path("1.jpg"))), pipeline, cameras)
    entries = [estimate(frame) for frame in FRAMES[:2]]
    assert pipeline.calls == [("photo", 64, [3, 2, 1])] * 2  # RGB
    assert [(e.stem, e.stamp_s, e.lost) for e in entries] == [("0", None, ()), ("1", None, ())]


def test_the_frames_of_a_video_are_a_sequence():
    pipeline = FakePipeline()
    estimate = estimator(VideoSource(Path("clip.mp4"), 10.0, 3), pipeline, cameras)
    entries = [estimate(frame) for frame in FRAMES[:2]]
    assert pipeline.calls == [(0.0, 64, [3, 2, 1]), (0.1, 64, [3, 2, 1])]
    assert [(e.stem, e.stamp_s, e.lost) for e in entries] == [("000000", 0.0, (9,)), ("000001", 0.1, (9,))]


class Refusing:
    """A pipeline that keeps what it is given, and cannot use it."""

    def __call__(self, image, camera, *_, detections):
        self.given = detections
        raise ValueError("detections: row 0: its box is empty")

    photo = __call__


@pytest.mark.parametrize("source", [PhotoSource((Path("a.jpg"),)), "a video"])
def test_detections_reach_the_pipeline_and_a_fault_is_named_with_its_image(source):
    people, refusing = Detections.empty("coco17"), Refusing()
    estimate = estimator(source, refusing, lambda width, height: None, GivenDetections({0: people}))
    with pytest.raises(ValueError, match=r"^a.jpg, frame 0: detections: row 0: its box is empty"):
        estimate(Frame(np.zeros((4, 4, 3), np.uint8), "a.jpg", 0))
    assert refusing.given is people
