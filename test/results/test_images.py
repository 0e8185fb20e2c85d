# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest

from hmr_ros.core.people import Camera
from hmr_ros.media.errors import SourceError
from hmr_ros.results.images import SourceImage, SourceImages, has_images, opened
from hmr_ros.results.snapshot import Snapshot
from test.results.results import CAMERA, bodies

CROSSING = Path(__file__).parents[2] / "samples/crossing.mp4"


def snapshot(number, header_ns=None, camera=None):
    return Snapshot(number, 0.0, bodies(0, []), (), header_ns=header_ns, camera=camera)


def source_images(keys, camera=None):
    """Images whose pixels are their place in the source."""
    each = (SourceImage(n, stamp, lambda n=n: np.full((1, 1, 3), n, np.uint8)) for n, stamp in enumerate(keys))
    return SourceImages(each, camera)


def shown(snapshots):
    return [None if each.image is None else int(each.image[0, 0, 0]) for each in snapshots]


def test_images_of_a_video_are_found_by_their_number():
    found = list(source_images([None] * 6).beside([snapshot(1), snapshot(2), snapshot(5), snapshot(9)]))
    assert shown(found) == [1, 2, 5, None]


def test_images_of_a_recording_are_found_by_their_stamp():
    found = source_images([100, 200, 300, 400]).beside([snapshot(0, 200), snapshot(1, 250), snapshot(2, 400)])
    assert shown(found) == [1, None, 3]


def test_time_that_jumps_back_goes_on():
    found = source_images([100, 200, 10, 20]).beside(
        [snapshot(0, 100), snapshot(1, 200), snapshot(2, 10), snapshot(3, 20)]
    )
    assert shown(found) == [0, 1, 2, 3]


def test_arrays_of_a_recording_have_its_numbers_alone():
    assert shown(source_images([100, 200, 300]).beside([snapshot(2)])) == [2]


def test_the_camera_is_that_of_the_result_where_it_is_known():
    other = Camera.from_fov(90, 64, 48)
    first, second = source_images([None, None], other).beside([snapshot(0), snapshot(1, camera=CAMERA)])
    assert (first.camera, second.camera) == (other, CAMERA)


def test_a_video_is_opened():
    with opened(CROSSING, "", pytest.fail) as of_video:
        (second,) = of_video.beside([snapshot(1)])
    assert second.image.shape == (576, 768, 3)
    assert of_video.camera is None


def test_a_recording_is_opened_with_its_camera(tmp_path):
    pytest.importorskip("mcap")
    from test.ros.bag.recordings import BEGAN_NS, PERIOD_NS, note, scene, write_mcap

    path = write_mcap(tmp_path / "bag.mcap", scene(3))
    assert has_images(path, pytest.fail)
    with opened(path, "/camera/image_raw", pytest.fail) as of_bag:
        (second,) = of_bag.beside([snapshot(7, BEGAN_NS + PERIOD_NS)])
    assert second.image.ndim == 3
    assert (second.camera.height, second.camera.width) == second.image.shape[:2]
    silent = write_mcap(tmp_path / "silent.mcap", [note(BEGAN_NS, "hello")])
    assert not has_images(silent, pytest.fail)
    with pytest.raises(SourceError, match="no images in this recording"), opened(silent, "", pytest.fail):
        pass


def test_a_damaged_image_is_left_out(tmp_path):
    pytest.importorskip("mcap")
    from test.ros.bag.recordings import BEGAN_NS, scene, write_mcap

    said = scene(1)
    said[1] = type(said[1])(said[1].topic, said[1].log_ns, said[1].data[:100])
    with opened(write_mcap(tmp_path / "bag.mcap", said), "", pytest.fail) as of_bag:
        (only,) = of_bag.beside([snapshot(0, BEGAN_NS)])
    assert only.image is None
