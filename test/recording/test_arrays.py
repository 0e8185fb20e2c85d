# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np

from hmr_ros.core.forecasts import FORECAST_COLUMNS
from hmr_ros.recording.arrays import COLUMNS, HAND_COLUMNS, Arrays
from test.recording.entries import bodies, entry, with_hands
from test.ros.stubs import with_forecasts


def load(path):
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def test_flat_arrays_say_which_image_each_body_is_in(tmp_path):
    arrays = Arrays(tmp_path / "bodies.npz")
    entries = [
        entry([4, 9], index=0, name="a.jpg"),
        entry(index=1, name="b.jpg"),
        entry([2], index=5, stamp_s=0.5, name="c"),
    ]
    for each in entries:
        arrays.write(each)
    assert list(tmp_path.iterdir()) == []
    arrays.close()
    read = load(tmp_path / "bodies.npz")
    assert read["image_index"].tolist() == [0, 0, 2]
    assert read["image_name"].tolist() == ["a.jpg", "b.jpg", "c"]
    assert read["image_frame"].tolist() == [0, 1, 5]
    assert np.array_equal(read["image_stamp_s"], [np.nan, np.nan, 0.5], equal_nan=True)
    assert read["camera_K"].shape == (3, 3, 3)
    assert read["camera_size"].tolist() == [[64, 48]] * 3
    assert read["ids"].tolist() == [4, 9, 2]
    assert str(read["joint_set"]) == "blazepose"
    for name in COLUMNS:
        assert np.array_equal(read[name], getattr(bodies([4, 9, 2]), name), equal_nan=True), name
    of_images = {"image_index", "image_name", "image_frame", "image_stamp_s"}
    of_images |= {"camera_K", "camera_D", "camera_size", "camera_model"}
    assert set(read) == {*COLUMNS, *of_images, "joint_set"}


def test_forecasts_are_kept_with_their_times(tmp_path):
    arrays = Arrays(tmp_path / "bodies.npz")
    for ids in ([4, 9], [], [2]):
        plain = entry(ids)
        arrays.write(dataclasses.replace(plain, bodies=with_forecasts(plain.bodies)))
    arrays.close()
    read = load(tmp_path / "bodies.npz")
    assert read["forecast_ahead_s"].tolist() == [0.25, 1.0]
    expected = with_forecasts(bodies([4, 9, 2])).forecasts
    for name in FORECAST_COLUMNS:
        np.testing.assert_array_equal(read[f"forecast_{name}"], np.float32(getattr(expected, name)))


def test_a_run_without_people_has_arrays_without_rows(tmp_path):
    arrays = Arrays(tmp_path / "bodies.npz")
    arrays.write(entry())
    arrays.close()
    read = load(tmp_path / "bodies.npz")
    assert read["joints"].shape == (0, 24, 3)
    assert len(read["image_name"]) == 1


def test_a_run_without_images_leaves_no_file(tmp_path):
    Arrays(tmp_path / "bodies.npz").close()
    assert list(tmp_path.iterdir()) == []


def test_hands_are_kept_where_they_are_looked_for(tmp_path):
    arrays, shown = Arrays(tmp_path / "bodies.npz"), with_hands(entry([4, 9], name="a.jpg"))
    arrays.write(shown)
    arrays.write(with_hands(entry(index=1, name="b.jpg")))
    arrays.close()
    read = load(tmp_path / "bodies.npz")
    hands = shown.bodies.hands
    assert read["hand_pose"].shape == (2, 2, 15, 3)
    assert np.array_equal(np.isfinite(read["hand_pose"]).all((2, 3)), hands.known)
    assert np.array_equal(read["hand_presence"], hands.presence)
    assert np.array_equal(read["hand_error"], hands.errors, equal_nan=True)
    assert set(read) > set(HAND_COLUMNS)
