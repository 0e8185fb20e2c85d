# SPDX-License-Identifier: Apache-2.0
import dataclasses

import cv2
import numpy as np

from hmr_ros.core.people import State
from hmr_ros.media.images import read_bgr
from hmr_ros.perception.hands import Hands
from hmr_ros.recording.overlays import OverlayImages, OverlayVideo
from test.recording.entries import FACES, entry

CENTRE = slice(20, 40), slice(30, 45)


def frames(path):
    capture = cv2.VideoCapture(str(path))
    images = []
    while (read := capture.read())[0]:
        images.append(read[1])
    return capture.get(cv2.CAP_PROP_FPS), images


def test_each_photo_becomes_a_file_with_the_meshes_on_it(tmp_path):
    overlays = OverlayImages(tmp_path / "overlay", FACES)
    overlays.write(entry([1], name="a.jpg"))
    overlays.write(entry(name="b.jpg"))
    overlays.close()
    assert read_bgr(tmp_path / "overlay" / "a.png")[CENTRE].max() > 100
    assert (read_bgr(tmp_path / "overlay" / "b.png") == 40).all()


def test_a_body_that_may_be_none_is_not_drawn(tmp_path):
    OverlayImages(tmp_path / "overlay", FACES).write(entry([1], states=[State.TENTATIVE]))
    assert (read_bgr(tmp_path / "overlay" / "photo.png") == 40).all()


def test_hands_are_drawn(tmp_path):
    points = np.full((1, 2, 21, 2), np.nan)
    points[0, 1] = np.linspace((10, 30), (30, 10), 21)
    ones = np.array([[0.0, 1.0]])
    shown = dataclasses.replace(entry(), hands=Hands(np.array([1]), points, np.zeros((1, 2, 21, 3)), ones, ones))
    OverlayImages(tmp_path / "overlay", FACES).write(shown)
    assert (read_bgr(tmp_path / "overlay" / "photo.png")[10:30, 10:30] != 40).any()


def test_a_video_has_an_image_for_each_stamp(tmp_path):
    video = OverlayVideo(tmp_path / "overlay.mp4", 10.0, FACES)
    for index in range(4):
        video.write(entry([1] if index == 2 else [], index=index, stamp_s=7 + 0.1 * index))
    video.close()
    rate_hz, images = frames(tmp_path / "overlay.mp4")
    assert rate_hz == 10
    assert [image[CENTRE].max() > 100 for image in images] == [False, False, True, False]


def test_an_image_stays_until_the_next_one_and_early_ones_are_left_out(tmp_path):
    video = OverlayVideo(tmp_path / "overlay.mp4", 10.0, FACES)
    for stamp_s, ids in ((0.0, [1]), (0.02, []), (0.3, []), (0.4, [1])):
        video.write(entry(ids, stamp_s=stamp_s))
    video.close()
    shown = [image[CENTRE].max() > 100 for image in frames(tmp_path / "overlay.mp4")[1]]
    assert shown == [True, True, True, False, True]


def test_nothing_is_written_without_images(tmp_path):
    OverlayImages(tmp_path / "overlay", FACES).close()
    OverlayVideo(tmp_path / "overlay.mp4", 10.0, FACES).close()
    assert list(tmp_path.iterdir()) == []
