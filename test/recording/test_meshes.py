# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hmr_ros.core.people import State
from hmr_ros.perception.overlay import person_color
from hmr_ros.recording import meshes as meshes_module
from hmr_ros.recording.meshes import Meshes, to_gltf
from test.recording.entries import FACES, bodies, entry

trimesh = pytest.importorskip("trimesh")


def test_a_glb_holds_each_body_in_metres_and_gltfs_axes(tmp_path):
    Meshes(tmp_path / "meshes", "glb", FACES).write(entry([3, 5]))
    scene = trimesh.load_scene(tmp_path / "meshes" / "photo.glb")
    assert set(scene.geometry) == {"body_3", "body_5"}
    for row, body_id in enumerate((3, 5)):
        mesh = scene.geometry[f"body_{body_id}"]
        optical = bodies([3, 5]).vertices[row]
        assert np.allclose(mesh.vertices, optical * [1, -1, -1], atol=1e-6)
        assert np.array_equal(mesh.faces, FACES)
        assert mesh.volume == pytest.approx(trimesh.Trimesh(optical, FACES).volume, rel=1e-4)  # its faces look outwards
        assert np.allclose(mesh.visual.vertex_colors[0, :3] / 255, person_color(body_id), atol=1 / 255)


def test_an_obj_holds_the_same_vertices(tmp_path):
    Meshes(tmp_path / "meshes", "obj", FACES).write(entry([3, 5]))
    lines = (tmp_path / "meshes" / "photo.obj").read_text().splitlines()
    vertices = np.array([line.split()[1:4] for line in lines if line.startswith("v ")], float)
    assert np.allclose(vertices, (bodies([3, 5]).vertices * [1, -1, -1]).reshape(-1, 3), atol=1e-6)
    assert sum(line.startswith("f ") for line in lines) == 2 * len(FACES)


def test_the_axes_are_rotated_and_never_mirrored():
    assert np.linalg.det(to_gltf(np.eye(3))) == pytest.approx(1)
    assert to_gltf(np.array([1.0, 2.0, 3.0])).tolist() == [1, -2, -3]


def test_images_without_a_body_in_space_have_no_file(tmp_path):
    writer = Meshes(tmp_path / "meshes", "glb", FACES)
    writer.write(entry())
    writer.write(entry([1], states=[State.TENTATIVE]))
    writer.write(entry([1], valid=[False]))
    writer.close()
    assert list(tmp_path.iterdir()) == []


def test_every_third_image_of_a_video_has_a_file(tmp_path):
    writer = Meshes(tmp_path, "obj", FACES, every=3)
    for index in range(5):
        writer.write(entry([1], index=index, stamp_s=0.1 * index))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000000.obj", "000003.obj"]


def test_a_missing_trimesh_is_named_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setattr(meshes_module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match="pip install trimesh"):
        Meshes(tmp_path, "glb", FACES)
