# SPDX-License-Identifier: Apache-2.0
"""What is in a scene, read back from its file by Rerun's own reader."""

import dataclasses
from functools import partial

import cv2
import numpy as np
import pytest

pytest.importorskip("rerun")

from rerun.chunk import RrdReader

from hmr_ros.core.people import State
from hmr_ros.perception.overlay import draw_bodies, person_color
from hmr_ros.results.floor import floor_of
from hmr_ros.results.snapshot import Radii, Snapshot
from hmr_ros.viewing.output import to_file
from hmr_ros.viewing.people import Surface, _ellipsoids, _readable
from hmr_ros.viewing.scene import _grid
from hmr_ros.viewing.showing import show_live, show_result
from test.results.results import CAMERA, IMAGE, bodies, with_fingers
from test.ros.stubs import BODY_MODEL

TIMES = ("time", "stamp", "log_time")  # as ns
PERSON = "/world/camera/people/7"


def snapshot(k, ids=(7, 8), states=None, **columns):
    found = dataclasses.replace(bodies(k, ids, states), vertices=np.zeros((len(ids), 0, 3), np.float32))
    return Snapshot(k, 0.1 * k, found, tuple(map(str, ids)), IMAGE, CAMERA, Radii(2.0, 3.0), **columns)


def read(path):
    """Entity path -> component -> what was logged, by image; without images: what does not change."""
    found = {}
    for chunk in RrdReader(path).stream().to_chunks():
        batch = chunk.to_record_batch()
        images = batch.column("image").to_pylist() if "image" in batch.schema.names else [None] * batch.num_rows
        for name in batch.schema.names:
            column = batch.column(name).cast("int64") if name in TIMES else batch.column(name)
            rows = zip(images, column.to_pylist(), strict=True)
            found.setdefault(str(chunk.entity_path), {}).setdefault(name, {}).update(rows)
    return found


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    path = tmp_path_factory.mktemp("scene") / "scene.rrd"
    each = [snapshot(0), snapshot(1, states=[State.COASTING, State.TENTATIVE]), snapshot(2, ids=(7,))]
    show_result(each, each, BODY_MODEL, partial(to_file, path), 100)
    return read(path)


def test_meshes_are_where_the_bodies_are(scene):
    surface = Surface.of(BODY_MODEL, 100)
    meshes = scene[f"{PERSON}/mesh"]
    assert np.array_equal(np.array(meshes["Mesh3D:triangle_indices"][None]), surface.faces)
    assert sorted(meshes["Mesh3D:vertex_positions"]) == [0, 1, 2]
    for k, vertices in meshes["Mesh3D:vertex_positions"].items():
        np.testing.assert_allclose(np.array(vertices), bodies(k).vertices[0][surface.vertices], atol=1e-5)


def test_the_camera_is_above_the_floor_and_looks_at_the_people(scene):
    pose = scene["/world/camera"]
    rotation = np.array(pose["Transform3D:mat3x3"][None][0]).reshape(3, 3).T  # by columns
    to_floor = floor_of([snapshot(k) for k in range(3)], BODY_MODEL).floor_from_optical
    np.testing.assert_allclose(rotation, to_floor.rotation, atol=1e-2)
    assert rotation[2] @ [0, -1, 0] > 0.9  # up is up
    assert pose["Transform3D:translation"][None][0][2] == pytest.approx(1.5, abs=0.4)
    pinhole = scene["/world/camera/image"]
    assert list(pinhole["Pinhole:resolution"].values()) == [[[64, 48]]]  # once, as it does not change
    assert pytest.approx(CAMERA.K) == np.array(pinhole["Pinhole:image_from_camera"][0][0]).reshape(3, 3).T


def test_the_image_has_the_people_drawn_on_it(scene):
    blobs = scene["/world/camera/image"]["EncodedImage:blob"]
    seen = cv2.imdecode(np.array(blobs[0][0], np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    expected = draw_bodies(IMAGE, bodies(0, (7, 8)), CAMERA, BODY_MODEL.faces)
    drawn = np.abs(expected.astype(int) - IMAGE).max(-1) > 40
    assert drawn.sum() > 50
    assert np.abs(seen.astype(int) - expected)[drawn].mean() < np.abs(expected.astype(int) - IMAGE)[drawn].mean() / 3


def test_labels_states_and_events_say_who_is_there(scene):
    labels = scene[f"{PERSON}/label"]["Points3D:labels"]
    assert labels[0] == ["7  4.0 m"]
    assert labels[1][0].startswith("7  COASTING")
    assert list(scene["/states/7"]["StateChange:state"].values()) == [["TRACKED"], ["COASTING"], ["TRACKED"]]
    assert scene["/states/8"]["StateChange:state"] == {0: ["TRACKED"], 1: ["gone"]}
    assert scene["/events"]["TextLog:text"] == {0: ["8 appears"], 1: ["8 is gone"]}
    assert scene["/world/camera/people/8"]["Clear:is_recursive"] == {1: [True]}


def test_the_grid_reaches_to_the_people():
    assert np.concatenate(_grid(np.array([[3.0, 1.0, 1.0]]))).max(0).tolist() == [15, 8, 0]
    lines = np.concatenate(_grid(np.array([[22.4, 1.0, 1.0], [3.0, -9.5, 1.0]])))
    assert [lines.min(0).tolist(), lines.max(0).tolist()] == [[0, -11, 0], [24, 11, 0]]
    assert np.abs(_grid(np.array([[5000.0, 0.0, 1.0]]))).max() == 60


def test_labels_are_legible_on_light_and_dark():
    for ids in range(24):
        luminance = (np.array(_readable(person_color(ids))) / 255) ** 2.2 @ [0.2126, 0.7152, 0.0722]
        assert luminance == pytest.approx(0.27, abs=0.01), ids


def test_curves_end_with_the_person(scene):
    assert scene["/angles/knees/l_knee/8"]["Clear:is_recursive"] == {1: [False]}
    assert "Clear:is_recursive" not in scene["/angles/knees/l_knee/7"]


def test_curves_of_the_right_side_are_darker(scene):
    left, right = (scene[f"/angles/elbows/{side}_elbow/7"]["SeriesLines:colors"][None][0] for side in "lr")
    assert right >> 24 == pytest.approx(0.6 * (left >> 24), abs=1)
    roll, yaw = (scene[f"/angles/trunk/{joint}_head/7"]["SeriesLines:colors"][None][0] for joint in "ry")
    assert roll == yaw == left


def test_angles_are_degrees(scene):
    knee = scene["/angles/knees/l_knee/7"]["Scalars:scalars"]
    right = scene["/angles/knees/r_knee/7"]["Scalars:scalars"]
    bent = np.array([np.rad2deg(0.05) * k for k in range(3)])
    np.testing.assert_allclose(-np.array([knee[k][0] - right[k][0] for k in range(3)]), bent, atol=1.5)


def test_time_is_that_of_the_source(scene):
    times = scene[f"{PERSON}/mesh"]["time"]
    assert times == {0: 0, 1: 100_000_000, 2: 200_000_000}


def test_ellipsoids_hold_as_much_as_they_say(scene):
    position = scene[f"{PERSON}/uncertainty"]
    assert sorted(position["Ellipsoids3D:half_sizes"][0][0]) == pytest.approx([0.3, 0.3, 0.6])
    assert len(scene["/world/camera/joint_uncertainty/7"]["Ellipsoids3D:half_sizes"][0]) == 24


def test_ellipsoids_lie_as_the_covariance_does_and_unknown_ones_are_left_out():
    from scipy.spatial.transform import Rotation

    rotation = Rotation.from_rotvec([0.3, -0.8, 0.5])
    covariance = (rotation.as_matrix() * [0.01, 0.04, 0.09]) @ rotation.as_matrix().T
    unknown = np.full((3, 3), np.nan)
    found = _ellipsoids(np.array([[1.0, 2, 3], [4, 5, 6]]), np.stack([unknown, covariance]), 2.0, (1, 2, 3))
    assert found.centers.as_arrow_array().to_pylist() == [[4, 5, 6]]
    axes = Rotation.from_quat(found.quaternions.as_arrow_array().to_pylist()[0]).as_matrix()
    halves = np.array(found.half_sizes.as_arrow_array().to_pylist()[0])
    np.testing.assert_allclose((axes * halves**2) @ axes.T / 4, covariance, atol=1e-6)


def test_hands_that_are_known_bend_in_the_mesh_and_have_bones(tmp_path):
    shown = snapshot(0)
    fingers = dataclasses.replace(shown, bodies=with_fingers(shown.bodies))
    found = []
    for name, each in (("rest", shown), ("bent", fingers)):
        show_result([each], [each], BODY_MODEL, partial(to_file, tmp_path / f"{name}.rrd"), BODY_MODEL.faces.shape[0])
        found.append(read(tmp_path / f"{name}.rrd"))
    rest, bent = (np.array(each[f"{PERSON}/mesh"]["Mesh3D:vertex_positions"][0]) for each in found)
    moved = np.linalg.norm(bent - rest, axis=1) > 1e-3
    assert 50 < moved.sum() < 600
    bones = [len(each[f"{PERSON}/skeleton"]["LineStrips3D:strips"][0]) for each in found]
    assert bones == [23, 23 + 20]
    others = [each["/world/camera/people/8/skeleton"]["LineStrips3D:strips"][0] for each in found]
    assert len(others[1]) == 23


def test_photos_have_no_time(tmp_path):
    photo = dataclasses.replace(snapshot(0), stamp_s=np.nan)
    show_result([photo], [photo], BODY_MODEL, partial(to_file, tmp_path / "photo.rrd"), 100)
    assert "time" not in read(tmp_path / "photo.rrd")[f"{PERSON}/mesh"]


def test_a_running_node_is_shown_until_it_is_interrupted(tmp_path):
    def node():
        yield snapshot(0, header_ns=5_000_000_000)
        yield None
        yield snapshot(1, header_ns=5_100_000_000)
        raise KeyboardInterrupt

    show_live(node(), BODY_MODEL, partial(to_file, tmp_path / "live.rrd"), 100)
    meshes = read(tmp_path / "live.rrd")[f"{PERSON}/mesh"]
    assert sorted(meshes["Mesh3D:vertex_positions"]) == [0, 1]
    assert meshes["stamp"] == {0: 5_000_000_000, 1: 5_100_000_000}
