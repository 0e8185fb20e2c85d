# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest

from hmr_ros.core.hands import RIGHT
from hmr_ros.core.people import State
from hmr_ros.results.opening import read_results, recording_in
from hmr_ros.results.snapshot import Radii
from test.results.results import CAMERA, bodies, with_fingers, write_mcap, write_npz
from test.ros.stubs import with_forecasts

BEGAN_NS = 1_700_000_000_000_000_123
COLUMNS = ("ids", "states", "scores", "global_orient", "body_pose", "betas", "cam_t", "joints", "root_covariance")


def two_images():
    return [(4, 0.4, bodies(0, [3, 8])), (5, 0.5, bodies(1, [8], states=[State.TENTATIVE]))]


def test_arrays_come_back_image_by_image(tmp_path):
    first, second = read_results(write_npz(tmp_path / "bodies.npz", two_images()), "", pytest.fail)
    assert (first.number, first.stamp_s, first.header_ns, first.names) == (4, 0.4, None, ("3", "8"))
    for name in COLUMNS:
        assert np.array_equal(getattr(first.bodies, name), getattr(bodies(0, [3, 8]), name)), name
    assert first.bodies.vertices.shape == (2, 0, 3)
    assert np.array_equal(first.camera.K, CAMERA.K)
    assert (first.camera.width, first.camera.distortion_model) == (64, "plumb_bob")
    assert (len(second.bodies), len(second.shown)) == (1, 0)


def test_forecasts_come_back(tmp_path):
    images = [(number, stamp_s, with_forecasts(found)) for number, stamp_s, found in two_images()]
    for each, (_, _, found) in zip(
        read_results(write_npz(tmp_path / "bodies.npz", images), "", pytest.fail), images, strict=True
    ):
        assert each.bodies.forecasts.ahead_s == (0.25, 1.0)
        np.testing.assert_array_equal(each.bodies.forecasts.joints, np.float32(found.forecasts.joints))


@pytest.mark.parametrize("kind", ["npz", "mcap"])
def test_hands_come_back(tmp_path, kind):
    images = [(number, stamp_s, with_fingers(found)) for number, stamp_s, found in two_images()]
    if kind == "npz":
        path = write_npz(tmp_path / "bodies.npz", images)
    else:
        path = write_mcap(tmp_path / "bodies.mcap", [(BEGAN_NS + number, found) for number, _, found in images])
    for each, (_, _, found) in zip(read_results(path, "", pytest.fail), images, strict=True):
        hands = each.bodies.hands
        assert hands.known.tolist() == found.hands.known.tolist()
        np.testing.assert_allclose(hands.pose, found.hands.pose)
        np.testing.assert_allclose(hands.presence, found.hands.presence)
        np.testing.assert_allclose(hands.errors[0], [np.nan, 0.02], rtol=1e-6)
        assert np.isnan(hands.angles[0, RIGHT]).all()


def test_an_image_without_people_and_a_camera_of_an_older_file(tmp_path):
    path = write_npz(tmp_path / "bodies.npz", [(0, 0.0, bodies(0, [])), *two_images()])
    with np.load(path) as arrays:
        kept = {name: arrays[name] for name in arrays if name != "camera_model"}
    np.savez(path, **kept)
    snapshots = read_results(path, "", pytest.fail)
    assert [len(each.bodies) for each in snapshots] == [0, 2, 1]
    assert snapshots[0].camera.distortion_model == "plumb_bob"


@pytest.mark.parametrize("content", [{}, {"poses": np.zeros(3)}])
def test_another_archive_is_named(tmp_path, content):
    np.savez(tmp_path / "motion.npz", **content)
    with pytest.raises(ValueError, match=r"motion\.npz: not a bodies\.npz of hmr run: it lacks image_index"):
        read_results(tmp_path / "motion.npz", "", pytest.fail)


@pytest.mark.parametrize(("name", "words"), [("gone.npz", "no such file"), ("photo.jpg", "no result; give bodies.npz")])
def test_what_is_no_result_is_named(tmp_path, name, words):
    (tmp_path / "photo.jpg").write_bytes(b"")
    with pytest.raises(ValueError, match=words):
        read_results(tmp_path / name, "", pytest.fail)


def test_the_directory_of_a_run_is_read(tmp_path):
    write_npz(tmp_path / "bodies.npz", two_images())
    assert len(read_results(tmp_path, "", pytest.fail)) == 2
    assert recording_in(tmp_path) is None
    pytest.importorskip("mcap")
    write_mcap(tmp_path / "bodies.mcap", [(BEGAN_NS, bodies(0))])
    assert len(read_results(tmp_path, "", pytest.fail)) == 1
    assert recording_in(tmp_path) == tmp_path / "bodies.mcap"


def test_a_recording_comes_back_message_by_message(tmp_path):
    pytest.importorskip("mcap")
    lost = dataclasses.replace(bodies(1, [8]), valid=np.array([False]))
    path = write_mcap(tmp_path / "bodies.mcap", [(BEGAN_NS, bodies(0, [3, 8])), (BEGAN_NS + 100_000_000, lost)])
    first, second = read_results(path, "", pytest.fail)
    assert (first.number, first.header_ns, first.body_model, first.radii) == (0, BEGAN_NS, "open_body", Radii())
    assert second.stamp_s == pytest.approx(0.1)
    assert first.camera is None
    for name in COLUMNS:
        np.testing.assert_allclose(getattr(first.bodies, name), getattr(bodies(0, [3, 8]), name), rtol=1e-6)
    assert all(len(name) == 5 for name in first.names)
    assert np.isnan(second.bodies.cam_t).all()
    assert len(second.shown) == 0


def test_the_topic_is_chosen_where_there_are_several(tmp_path):
    pytest.importorskip("mcap")
    from hmr_ros.ros.bag.recording import Record, RecordingError, Topic

    kind = "hmr_ros/msg/SmplBodyArray"
    rest = [(Topic("/back/bodies", kind), Record("/back/bodies", BEGAN_NS, b"\0\1\0\0 damaged"))]
    path = write_mcap(tmp_path / "bodies.mcap", [(BEGAN_NS, bodies(0))], topic="/front/bodies", rest=rest)
    with pytest.raises(RecordingError, match=r"choose one with --topic \(/back/bodies, /front/bodies\)"):
        read_results(path, "", pytest.fail)
    with pytest.raises(RecordingError, match="--topic /side: no such bodies"):
        read_results(path, "side", pytest.fail)
    assert len(read_results(path, "front/bodies", pytest.fail)) == 1
    reports = []
    assert read_results(path, "/back/bodies", reports.append) == ()
    assert "bodies of image 0 cannot be read" in reports[0]


def test_a_recording_without_bodies_names_the_remedy(tmp_path):
    pytest.importorskip("mcap")
    from hmr_ros.ros.bag.recording import RecordingError

    path = write_mcap(tmp_path / "my.mcap", [])
    with pytest.raises(RecordingError, match="estimate them first: hmr run"):
        read_results(path, "", pytest.fail)
