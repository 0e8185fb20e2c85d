# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest

from hmr_ros.media.video import VideoFile, write_video
from test.small_disk import small_disk

RED, BLUE = np.full((30, 40, 3), (250, 0, 0), np.uint8), np.full((30, 40, 3), (0, 0, 250), np.uint8)


def test_a_video_holds_every_image_at_its_rate(tmp_path):
    write_video(tmp_path / "clip.mp4", iter([RED, BLUE, RED[:, :20]]), 5.0)
    capture = cv2.VideoCapture(str(tmp_path / "clip.mp4"))
    frames = [capture.read()[1] for _ in range(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))]
    assert capture.get(cv2.CAP_PROP_FPS) == 5.0
    assert len(frames) == 3
    assert frames[0].shape == RED.shape
    assert frames[0][15, 20, 2] > 200 > 50 > frames[0][15, 20, 0]
    assert frames[1][15, 20, 0] > 200
    assert frames[2][15, 4].max() < 50  # narrower than the first: between black bars


def test_a_video_has_its_name_only_when_it_is_complete(tmp_path):
    path = tmp_path / "clip.mp4"
    with VideoFile(path, 10.0) as video:
        video.write(RED)
        assert not path.exists()
    assert cv2.VideoCapture(str(path)).read()[0]
    assert list(tmp_path.iterdir()) == [path]


def interrupted(path):
    with VideoFile(path, 10.0) as video:
        video.write(RED)
        raise KeyboardInterrupt


def test_an_interrupted_video_can_be_played_up_to_there(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        interrupted(tmp_path / "clip.mp4")
    assert cv2.VideoCapture(str(tmp_path / "clip.mp4")).read()[0]


def test_a_video_without_images_is_no_file(tmp_path):
    with VideoFile(tmp_path / "clip.mp4", 10.0):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_not_there_is_named(tmp_path):
    with pytest.raises(OSError, match="nowhere"), VideoFile(tmp_path / "nowhere" / "clip.mp4", 10.0) as video:
        video.write(RED)


def test_a_video_that_does_not_fit_on_the_disk_is_an_error_and_no_file(tmp_path, rng):
    """OpenCV writes on without a word, and what is left cannot be played."""
    noise = rng.integers(0, 255, (12, 120, 160, 3), np.uint8)
    with (
        small_disk(40_000),
        pytest.raises(OSError, match="0 of 12 frames could be written; is the disk full"),
    ):
        write_video(tmp_path / "clip.mp4", noise, 10.0)
    assert list(tmp_path.iterdir()) == []
