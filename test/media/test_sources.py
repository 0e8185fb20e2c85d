# SPDX-License-Identifier: Apache-2.0
import functools
import http.server
import threading

import cv2
import numpy as np
import pytest

from hmr_ros.media import sources as sources_module
from hmr_ros.media.errors import SourceError
from hmr_ros.media.sources import (
    Excerpt,
    Frame,
    PhotoSource,
    StreamSource,
    Unreadable,
    VideoSource,
    WebcamSource,
    open_source,
)
from test.media.files import jpeg, write_clip


def write_photos(directory, **values):
    for name, value in values.items():
        cv2.imwrite(str(directory / f"{name}.png"), np.full((8, 8, 3), value, np.uint8))


@pytest.fixture
def clip(tmp_path):
    write_clip(tmp_path / "clip.avi")
    return open_source(str(tmp_path / "clip.avi"))


def read(source, excerpt):
    """(index, stamp) of each frame."""
    return [(frame.index, round(frame.stamp_s, 3)) for frame in source.frames(excerpt)]


def test_a_video_gives_every_frame_with_its_time(clip):
    assert isinstance(clip, VideoSource)
    assert (clip.rate_hz, clip.count(), clip.live) == (12.0, 5, False)
    for _ in range(2):
        frames = list(clip.frames())
        assert np.allclose([frame.bgr.mean() for frame in frames], 40 * np.arange(5), atol=4)
        assert np.allclose([frame.stamp_s for frame in frames], np.arange(5) / 12, atol=1e-3)
        assert [(frame.name, frame.index) for frame in frames] == [("clip.avi", k) for k in range(5)]


@pytest.mark.parametrize(
    ("excerpt", "expected"),
    [
        (Excerpt(every=2), [(0, 0.0), (2, 0.167), (4, 0.333)]),
        (Excerpt(start_s=2 / 12), [(2, 0.167), (3, 0.25), (4, 0.333)]),
        (Excerpt(start_s=1 / 12, seconds=3 / 12, every=2), [(1, 0.083), (3, 0.25)]),
        (Excerpt(seconds=0.1), [(0, 0.0), (1, 0.083)]),
        (Excerpt(rate_hz=1.0), [(0, 0.0), (1, 1.0), (2, 2.0), (3, 3.0), (4, 4.0)]),
        (Excerpt(rate_hz=1.0, start_s=2, seconds=2), [(2, 2.0), (3, 3.0)]),
    ],
)
def test_an_excerpt_of_a_video(clip, excerpt, expected):
    assert read(clip, excerpt) == expected
    assert clip.count(excerpt) == len(expected)


def test_the_pixels_of_an_excerpt_are_those_of_its_frames(clip):
    means = [frame.bgr.mean() for frame in clip.frames(Excerpt(start_s=1 / 12, every=2))]
    assert np.allclose(means, [40, 120], atol=4)


def test_an_excerpt_behind_the_end_says_where_it_begins(clip):
    with pytest.raises(SourceError, match=r"no frame from 60 s on"):
        list(clip.frames(Excerpt(start_s=60)))


@pytest.mark.parametrize(
    ("values", "words"),
    [({"every": 0}, "every"), ({"start_s": -1}, "start"), ({"seconds": 0}, "seconds"), ({"rate_hz": 0}, "rate")],
)
def test_excerpts_that_make_no_sense_are_refused(values, words):
    with pytest.raises(ValueError, match=words):
        Excerpt(**values)


def test_a_directory_gives_each_image_by_name_and_ignores_other_files(tmp_path):
    write_photos(tmp_path, b=200, a=10, c=30)
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "._a.png").write_text("metadata of another system")
    source = open_source(str(tmp_path))
    assert isinstance(source, PhotoSource)
    frames = list(source.frames())
    assert [(frame.name, frame.bgr[0, 0, 0]) for frame in frames] == [("a.png", 10), ("b.png", 200), ("c.png", 30)]
    assert source.count() == 3
    assert [frame.name for frame in source.frames(Excerpt(every=2))] == ["a.png", "c.png"]
    assert source.count(Excerpt(every=2)) == 2


def test_a_photo_is_a_source_of_one_frame_in_rgb(tmp_path):
    cv2.imwrite(str(tmp_path / "photo.PNG"), np.full((8, 8, 3), (1, 2, 3), np.uint8))
    (frame,) = open_source(str(tmp_path / "photo.PNG")).frames()
    assert isinstance(frame, Frame)
    assert frame.rgb()[0, 0].tolist() == [3, 2, 1]


def test_an_unreadable_image_does_not_end_a_directory(tmp_path):
    write_photos(tmp_path, a=10, c=30)
    (tmp_path / "b.jpg").write_text("not an image")
    (tmp_path / "d.jpg").write_bytes(jpeg(np.full((64, 64, 3), 90, np.uint8))[:-40])
    first, second, third, fourth = open_source(str(tmp_path)).frames()
    assert isinstance(first, Frame)
    assert isinstance(third, Frame)
    assert third.index == 2
    assert isinstance(second, Unreadable)
    assert isinstance(fourth, Unreadable)
    assert "b.jpg" in second.reason
    assert "cut off" in fourth.reason


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing.mp4", "no such file"),
        (".", "no images"),
        ("text.mp4", r"not a video .* ffmpeg -i text\.mp4 converted\.mp4"),
        ("97", "webcam 97"),
    ],
)
def test_a_source_that_cannot_be_opened_is_named_with_the_reason(tmp_path, monkeypatch, name, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.mp4").write_text("not a video at all")
    with pytest.raises(SourceError, match=words):
        open_source(name)


def test_a_video_without_frames_is_refused(tmp_path):
    write_clip(tmp_path / "empty.avi", frames=0)
    with pytest.raises(SourceError, match=r"empty\.avi: no frame"):
        list(open_source(str(tmp_path / "empty.avi")).frames())


class FakeCapture:
    """A webcam that gives ``left`` images, each half a second after the one before, and says nothing of their times."""

    rate_hz, count, position, stamp_s = 30.0, 0, 0, 0.0

    def __init__(self, what):
        self.left = 0 if what == 1 else 4

    def grab(self):
        self.left -= 1
        return self.left >= 0

    def decode(self):
        return np.zeros((8, 8, 3), np.uint8)

    def close(self):
        pass


@pytest.fixture
def half_seconds(monkeypatch):
    """Captures without hardware, and a clock that advances by half a second per reading."""
    ticks = iter(np.arange(100, 200, 0.5))
    monkeypatch.setattr(sources_module, "Capture", FakeCapture)
    monkeypatch.setattr(sources_module.time, "monotonic", lambda: float(next(ticks)))


def test_a_webcam_counts_time_from_its_first_image(half_seconds):
    webcam = open_source("0")
    assert isinstance(webcam, WebcamSource)
    assert webcam.live
    assert read(webcam, Excerpt()) == [(0, 0.0), (1, 0.5), (2, 1.0), (3, 1.5)]
    assert read(webcam, Excerpt(seconds=1.2, every=2)) == [(0, 0.0), (2, 1.0)]


def test_a_webcam_without_images_is_refused(half_seconds):
    with pytest.raises(SourceError, match="no image from webcam 1: is another program"):
        list(open_source("1").frames())


def test_a_webcam_may_be_named_by_its_device(half_seconds, tmp_path):
    """As by udev's names in /dev/v4l/by-id, which are links."""
    (tmp_path / "usb-camera-index0").symlink_to("/dev/video7")
    assert open_source("/dev/video3") == WebcamSource(3, 30.0)
    assert open_source(str(tmp_path / "usb-camera-index0")) == WebcamSource(7, 30.0)
    with pytest.raises(SourceError, match=r"no such file.*device of a webcam"):
        open_source("/dev/v4l/by-id/usb-unplugged-video-index0")


@pytest.fixture
def web(tmp_path):
    """The URL of a server on this machine that has the clip."""
    write_clip(tmp_path / "clip.avi")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_stream_is_a_camera_at_its_own_pace(web):
    stream = open_source(f"{web}/clip.avi")
    assert isinstance(stream, StreamSource)
    assert (stream.live, stream.name, stream.count()) == (True, "127.0.0.1", 0)
    frames = list(stream.frames(Excerpt(every=2)))
    assert np.allclose([frame.bgr.mean() for frame in frames], [0, 80, 160], atol=4)
    assert [(frame.name, frame.index) for frame in frames] == [("127.0.0.1", k) for k in (0, 2, 4)]


def test_a_stream_that_cannot_be_opened_is_named_without_its_password(web):
    with pytest.raises(SourceError, match=r"cannot open the stream http://127\.0\.0\.1:\d+/no\.avi: is the") as info:
        open_source(f"{web.replace('//', '//me:secret@')}/no.avi")
    assert "secret" not in str(info.value)


def test_a_stream_without_images_is_named_without_its_password(half_seconds, monkeypatch):
    monkeypatch.setattr(FakeCapture, "grab", lambda capture: False)
    with pytest.raises(SourceError, match=r"no image from rtsp://camera/1: does it play") as info:
        list(open_source("rtsp://me:secret@camera/1").frames())
    assert "secret" not in str(info.value)


def test_a_video_without_timestamps_goes_by_its_rate(half_seconds, tmp_path):
    video = VideoSource(tmp_path / "clip.avi", rate_hz=10.0, frame_count=4)
    assert read(video, Excerpt()) == [(0, 0.0), (1, 0.1), (2, 0.2), (3, 0.3)]
