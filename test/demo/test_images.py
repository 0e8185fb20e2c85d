# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np

from hmr_ros.demo.images import contact_sheet, letterboxed, write_image_file, write_video

RED, BLUE = np.full((30, 40, 3), (250, 0, 0), np.uint8), np.full((30, 40, 3), (0, 0, 250), np.uint8)


def test_images_are_written_in_their_colours(tmp_path):
    write_image_file(tmp_path / "red.png", RED)
    assert cv2.imread(str(tmp_path / "red.png"))[0, 0].tolist() == [0, 0, 250]


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


def test_other_shapes_get_a_black_border():
    boxed = letterboxed(RED, (100, 30))
    assert boxed.shape == (30, 100, 3)
    assert not boxed[:, :29].any()
    assert not boxed[:, 71:].any()
    assert (boxed[:, 31:69] == RED[0, 0]).all()


def test_a_contact_sheet_has_a_tile_for_every_image():
    sheet = contact_sheet([RED, BLUE, RED, BLUE])
    height = sheet.shape[0]
    row, column = height // 4, sheet.shape[1] // 6
    colours = [sheet[row, column * c].tolist() for c in (1, 3, 5)]
    assert colours == [[250, 0, 0], [0, 0, 250], [250, 0, 0]]
    assert sheet[3 * row, column].tolist() == [0, 0, 250]
    assert sheet[3 * row, 5 * column].tolist() == [255, 255, 255]
