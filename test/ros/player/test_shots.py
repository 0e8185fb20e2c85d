# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest

from hmr_ros.media.errors import SourceError
from hmr_ros.ros.player.shots import open_show
from test.media.files import write_clip


def test_a_video_plays_every_frame_at_its_rate_again_and_again(tmp_path):
    write_clip(tmp_path / "clip.avi")
    show = open_show(str(tmp_path / "clip.avi"))
    assert (show.rate_hz, show.count, show.live) == (12.0, 5, False)
    for _ in range(2):
        shots = list(show.shots())
        assert np.allclose([shot.image.mean() for shot in shots], 40 * np.arange(5), atol=4)
        assert not any(shot.new_scene for shot in shots)


def test_each_photo_of_a_directory_is_a_scene_that_stays(tmp_path):
    for name, value in (("b.png", 200), ("a.jpg", 10)):
        cv2.imwrite(str(tmp_path / name), np.full((8, 8, 3), value, np.uint8))
    (tmp_path / "notes.txt").write_text("no image")
    show = open_show(str(tmp_path))
    shots = list(show.shots())
    means = [shot.image.mean() for shot in shots]
    assert len(means) == show.count == 20
    assert [k for k, shot in enumerate(shots) if shot.new_scene] == [0, 10]
    assert np.allclose(means, [10] * 10 + [200] * 10, atol=1)


def test_a_single_photo_is_one_scene_however_often_it_is_shown(tmp_path):
    cv2.imwrite(str(tmp_path / "photo.png"), np.zeros((8, 8, 3), np.uint8))
    shots = list(open_show(str(tmp_path / "photo.png")).shots())
    assert shots[0].image.shape == (8, 8, 3)
    assert not any(shot.new_scene for shot in shots)


def test_a_broken_image_in_a_directory_ends_the_show_and_is_named(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(SourceError, match=r"broken\.jpg"):
        list(open_show(str(tmp_path)).shots())


@pytest.mark.parametrize("photos", [1, 3])
def test_each_photo_stays_for_a_second(tmp_path, photos):
    for number in range(photos):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.zeros((8, 8, 3), np.uint8))
    show = open_show(str(tmp_path / "0.png" if photos == 1 else tmp_path))
    assert len(list(show.shots())) == show.count
    assert show.count / show.rate_hz == photos
    assert not show.live


def test_an_image_that_cannot_be_read_in_the_middle_ends_the_show(tmp_path):
    for name in ("a.png", "c.png"):
        cv2.imwrite(str(tmp_path / name), np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "b.png").write_bytes(b"\x89PNG")
    shots = open_show(str(tmp_path)).shots()
    seen = [next(shots) for _ in range(10)]
    assert len(seen) == 10
    with pytest.raises(SourceError, match=r"b\.png"):
        next(shots)
