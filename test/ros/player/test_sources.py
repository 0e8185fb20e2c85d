# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest

from hmr_ros.ros.player.sources import DirectorySource, SourceError, VideoSource, open_source


def write_video(path, frames=5, rate_hz=12.0):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), rate_hz, (64, 48))
    for i in range(frames):
        writer.write(np.full((48, 64, 3), 40 * i, np.uint8))
    writer.release()


def test_a_video_plays_every_frame_at_its_rate_again_and_again(tmp_path):
    write_video(tmp_path / "clip.avi")
    source = open_source(str(tmp_path / "clip.avi"))
    assert isinstance(source, VideoSource)
    assert (source.rate_hz, source.count, source.live) == (12.0, 5, False)
    for _ in range(2):
        means = [shot.image.mean() for shot in source.shots()]
        assert np.allclose(means, 40 * np.arange(5), atol=4)


def test_a_directory_shows_each_image_by_name_and_ignores_other_files(tmp_path):
    for name, value in (("b.png", 200), ("a.jpg", 10)):
        cv2.imwrite(str(tmp_path / name), np.full((8, 8, 3), value, np.uint8))
    (tmp_path / "notes.txt").write_text("no image")
    source = open_source(str(tmp_path))
    assert isinstance(source, DirectorySource)
    shots = list(source.shots())
    means = [shot.image.mean() for shot in shots]
    assert len(means) == source.count
    assert sum(shot.new_scene for shot in shots) == 2
    assert np.allclose(sorted(set(np.round(means))), [10, 200])
    assert means == sorted(means)  # a.jpg first, each for a while


def test_a_single_image_is_a_source(tmp_path):
    cv2.imwrite(str(tmp_path / "photo.png"), np.zeros((8, 8, 3), np.uint8))
    shots = list(open_source(str(tmp_path / "photo.png")).shots())
    assert shots[0].image.shape == (8, 8, 3)
    assert not any(shot.new_scene for shot in shots)  # shown again and again, it is one scene


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing.mp4", "no such file"),
        (".", "no images"),
        ("text.mp4", "not a video"),
        ("97", "webcam 97"),
    ],
)
def test_what_cannot_be_played_says_why(tmp_path, monkeypatch, name, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.mp4").write_text("not a video at all")
    with pytest.raises(SourceError, match=words):
        open_source(name)


def test_a_broken_image_in_a_directory_is_named(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(SourceError, match=r"broken\.jpg"):
        list(open_source(str(tmp_path)).shots())
