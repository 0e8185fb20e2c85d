# SPDX-License-Identifier: Apache-2.0
"""glTF files: the container by the standard, the animation played by a few lines, and opened by other libraries."""

import json
import struct

import numpy as np
import pytest

from hmr_ros.core.geometry.rotation import quat_to_rotmat
from hmr_ros.core.skeleton import SMPL, SMPL_HANDS
from hmr_ros.motion.gltf_file import write_gltf
from hmr_ros.motion.track import Y_UP
from test.motion.motion import BETAS, FPS, jumping, posed_with_fingers, track, waving
from test.ros.stubs import BODY_MODEL

KINDS = {5126: np.float32, 5121: np.uint8, 5125: np.uint32}
SHAPES = {"SCALAR": (), "VEC3": (3,), "VEC4": (4,), "MAT4": (4, 4)}


@pytest.fixture
def path(tmp_path):
    write_gltf(tmp_path / "7.glb", track(), BODY_MODEL, (0.5, 0.7, 0.9))
    return tmp_path / "7.glb"


class Played:
    """The file, as a viewer plays it."""

    def __init__(self, content):
        magic, version, size = struct.unpack_from("<4sII", content)
        assert (magic, version, size) == (b"glTF", 2, len(content))
        length, kind = struct.unpack_from("<I4s", content, 12)
        assert (kind, length % 4) == (b"JSON", 0)
        self.json = json.loads(content[20 : 20 + length])
        size, kind = struct.unpack_from("<I4s", content, 20 + length)
        assert (kind, size % 4) == (b"BIN\0", 0)
        self.binary = content[28 + length :]

    def array(self, number):
        accessor = self.json["accessors"][number]
        view = self.json["bufferViews"][accessor["bufferView"]]
        shape, kind = SHAPES[accessor["type"]], KINDS[accessor["componentType"]]
        values = np.frombuffer(self.binary, kind, view["byteLength"] // np.dtype(kind).itemsize, view["byteOffset"])
        return values.reshape(accessor["count"], *shape)

    def attribute(self, name):
        return self.array(self.json["meshes"][0]["primitives"][0]["attributes"][name])

    def globals(self, frame):
        """(K, 4, 4): each joint node -> world."""
        (animation,) = self.json["animations"]
        joints = len(self.json["skins"][0]["joints"])
        local = []
        for node in self.json["nodes"][:joints]:
            matrix = np.eye(4)
            matrix[:3, 3] = node["translation"]
            local.append(matrix)
        for channel in animation["channels"]:
            value = self.array(animation["samplers"][channel["sampler"]]["output"])[frame]
            matrix = local[channel["target"]["node"]]
            if channel["target"]["path"] == "rotation":
                matrix[:3, :3] = quat_to_rotmat(value.astype(np.float64))
            else:
                matrix[:3, 3] = value
        for parent, node in enumerate(self.json["nodes"][:joints]):  # parents come first
            for child in node.get("children", ()):
                local[child] = local[parent] @ local[child]
        return np.array(local)

    def vertices(self, frame):
        inverse = self.array(self.json["skins"][0]["inverseBindMatrices"]).swapaxes(1, 2)
        matrices = self.globals(frame) @ inverse
        joints, weights = self.attribute("JOINTS_0"), self.attribute("WEIGHTS_0")
        blended = (weights[..., None, None] * matrices[joints]).sum(1)
        position = np.concatenate([self.attribute("POSITION"), np.ones((len(joints), 1))], 1)
        return (blended @ position[..., None])[:, :3, 0]


def posed(moving):
    pose, pelvis = moving.rotated(Y_UP)
    return BODY_MODEL.posed(pose[:, 0], pose[:, 1:], np.tile(BETAS, (len(moving), 1)), pelvis)


def test_a_viewer_shows_the_body_where_it_was(path):
    played, body = Played(path.read_bytes()), posed(track())
    for frame in (0, 7, 19):
        assert np.abs(played.globals(frame)[:, :3, 3] - body.joints[frame]).max() < 1e-5
        off = np.linalg.norm(played.vertices(frame) - body.vertices[frame], axis=1)
        assert off.mean() < 0.004  # what the skin lacks: pose blend shapes, and weights beyond four
        assert np.quantile(off, 0.99) < 0.03
    assert np.array_equal(played.array(played.json["meshes"][0]["primitives"][0]["indices"]), BODY_MODEL.faces.ravel())


def test_fingers_bend_the_mesh(tmp_path):
    write_gltf(tmp_path / "7.glb", waving(), BODY_MODEL, (0.5, 0.7, 0.9))
    played, body = Played((tmp_path / "7.glb").read_bytes()), posed_with_fingers(waving())
    assert [node["name"] for node in played.json["nodes"][:52]] == list(SMPL_HANDS.joints)
    still = posed(waving())
    for frame in (7, 19):
        assert np.abs(played.globals(frame)[:, :3, 3] - body.joints[frame]).max() < 1e-5
        moved = np.linalg.norm(body.vertices[frame] - still.vertices[frame], axis=1) > 0.02
        assert moved.sum() > 50
        off = np.linalg.norm(played.vertices(frame) - body.vertices[frame], axis=1)
        assert off[moved].mean() < 0.004


def test_time_is_that_of_the_track(path):
    played = Played(path.read_bytes())
    (animation,) = played.json["animations"]
    (number,) = {sampler["input"] for sampler in animation["samplers"]}
    np.testing.assert_allclose(played.array(number), np.arange(20) / FPS, rtol=1e-6)
    accessor = played.json["accessors"][number]
    assert (accessor["min"], accessor["max"]) == ([0.0], [pytest.approx(19 / FPS)])


def test_it_keeps_the_rules_of_gltf(path):
    played = Played(path.read_bytes())
    assert played.attribute("WEIGHTS_0").sum(1) == pytest.approx(1, abs=1e-6)
    assert not played.attribute("JOINTS_0")[played.attribute("WEIGHTS_0") == 0].any()
    assert np.linalg.norm(played.attribute("NORMAL"), axis=1) == pytest.approx(1, abs=1e-5)
    assert all(view["byteOffset"] % 4 == 0 for view in played.json["bufferViews"])
    position = played.json["accessors"][played.json["meshes"][0]["primitives"][0]["attributes"]["POSITION"]]
    assert position["min"] == played.attribute("POSITION").min(0).tolist()
    names = [node["name"] for node in played.json["nodes"]]
    assert names == [*SMPL.joints, "body_7"]
    for sampler in played.json["animations"][0]["samplers"][:24]:
        assert np.linalg.norm(played.array(sampler["output"]), axis=1) == pytest.approx(1, abs=1e-6)


def test_rotations_go_on_the_shorter_way(tmp_path):
    write_gltf(tmp_path / "7.glb", jumping(), BODY_MODEL, (1, 1, 1))
    played = Played((tmp_path / "7.glb").read_bytes())
    for sampler in played.json["animations"][0]["samplers"][:24]:
        quats = played.array(sampler["output"])
        assert ((quats[1:] * quats[:-1]).sum(1) > 0.9).all()


def test_pygltflib_opens_it(path):
    pygltflib = pytest.importorskip("pygltflib")
    opened = pygltflib.GLTF2().load(str(path))
    assert len(opened.skins[0].joints) == 24
    assert len(opened.animations[0].channels) == 25
    accessor = opened.accessors[opened.skins[0].inverseBindMatrices]
    assert (accessor.type, accessor.count) == ("MAT4", 24)
    assert len(opened.binary_blob()) == opened.buffers[0].byteLength


def test_trimesh_opens_it(path):
    trimesh = pytest.importorskip("trimesh")
    (mesh,) = trimesh.load_scene(path).geometry.values()
    assert (len(mesh.vertices), len(mesh.faces)) == (BODY_MODEL.vertex_count, len(BODY_MODEL.faces))
    assert mesh.volume > 0.04  # its faces look outwards
