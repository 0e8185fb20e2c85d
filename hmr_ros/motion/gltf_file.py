# SPDX-License-Identifier: Apache-2.0
"""A track as binary glTF 2.0 (.glb): the person's mesh with a skin of 24 joints, or 52 with fingers, and its animation.

Metres; x right, y up, z towards the camera; y = 0 on the floor. A skin has no pose blend shapes and four weights for
each vertex: the surface is off by millimetres where joints bend, the joints are exact.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np

from hmr_ros import __version__
from hmr_ros.core.arrays import Array, Floats
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.body.skinned_model import SkinnedModel
from hmr_ros.core.geometry.rotation import rotvec_to_quat
from hmr_ros.core.manifest import atomic_path
from hmr_ros.motion.rig import Rig, rig_of
from hmr_ros.motion.track import Y_UP, Track
from hmr_ros.perception.overlay import Color
from hmr_ros.perception.raster import vertex_normals

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

_MAGIC, _VERSION, _JSON, _BINARY = 0x46546C67, 2, 0x4E4F534A, 0x004E4942
_TYPES = {np.dtype(np.float32): 5126, np.dtype(np.uint8): 5121, np.dtype(np.uint32): 5125}
_SHAPES = {(): "SCALAR", (3,): "VEC3", (4,): "VEC4", (4, 4): "MAT4"}
_VERTEX_DATA, _INDEX_DATA = 34962, 34963
_WEIGHTS = 4


class _Buffer:
    """The binary part, and the accessors into it."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.views: list[Json] = []
        self.accessors: list[Json] = []

    def add(self, values: Array, target: int | None = None, *, has_bounds: bool = False) -> int:
        """The accessor of ``values`` (N, ...), one element a row; ``has_bounds``: with minimum and maximum."""
        self.data += bytes(-len(self.data) % 4)
        view: dict[str, Json] = {"buffer": 0, "byteOffset": len(self.data), "byteLength": values.nbytes}
        self.views.append(view | ({} if target is None else {"target": target}))
        self.data += np.ascontiguousarray(values).tobytes()
        accessor: dict[str, Json] = {
            "bufferView": len(self.views) - 1,
            "componentType": _TYPES[values.dtype],
            "count": len(values),
            "type": _SHAPES[values.shape[1:]],
        }
        if has_bounds:
            accessor |= {"min": np.atleast_1d(values.min(0)).tolist(), "max": np.atleast_1d(values.max(0)).tolist()}
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def write_gltf(path: Path, track: Track, body_model: BodyModel, color: Color) -> None:
    """Write ``track`` to ``path``, in the ``color`` RGB 0..1 (sRGB)."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(encoded(track, body_model, color))


def encoded(track: Track, body_model: BodyModel, color: Color) -> bytes:
    """The content of the file."""
    buffer = _Buffer()
    rig = rig_of(track, body_model, Y_UP)
    skin = _skin(buffer, rig.rest)
    mesh = _mesh(buffer, track.betas, rig.model)
    animation = _animation(buffer, track, rig)
    content: dict[str, Json] = {
        "asset": {"version": "2.0", "generator": f"hmr_ros {__version__}"},
        "scene": 0,
        "scenes": [{"nodes": [0, len(rig.joints)]}],
        "nodes": [*_joint_nodes(rig), {"name": f"body_{track.name}", "mesh": 0, "skin": 0}],
        "meshes": [mesh],
        "skins": [skin],
        "materials": [_material(color)],
        "animations": [animation],
        "accessors": buffer.accessors,
        "bufferViews": buffer.views,
        "buffers": [{"byteLength": len(buffer.data)}],
    }
    return _container(json.dumps(content, separators=(",", ":"), allow_nan=False).encode(), bytes(buffer.data))


def _container(text: bytes, binary: bytes) -> bytes:
    text += b" " * (-len(text) % 4)
    binary += bytes(-len(binary) % 4)
    chunks = struct.pack("<II", len(text), _JSON) + text + struct.pack("<II", len(binary), _BINARY) + binary
    return struct.pack("<III", _MAGIC, _VERSION, 12 + len(chunks)) + chunks


def _joint_nodes(rig: Rig) -> list[Json]:
    """A node for each joint, in their order."""
    nodes: list[Json] = []
    for joint, name in enumerate(rig.joints):
        parent = int(rig.parents[joint])
        offset = rig.rest[joint] - (rig.rest[parent] if parent >= 0 else 0)
        children: list[Json] = [*rig.children(joint)]
        node: dict[str, Json] = {"name": name, "translation": offset.tolist()}
        nodes.append(node | ({"children": children} if children else {}))
    return nodes


def _skin(buffer: _Buffer, rest: Floats) -> Json:
    inverse = np.tile(np.eye(4, dtype=np.float32), (len(rest), 1, 1))
    inverse[:, 3, :3] = -rest  # column after column
    joints: list[Json] = [*range(len(rest))]
    return {"inverseBindMatrices": buffer.add(inverse), "joints": joints, "skeleton": 0}


def _mesh(buffer: _Buffer, betas: Floats, model: SkinnedModel) -> Json:
    vertices = (model.v_template + model.shapedirs @ betas.astype(np.float32)).astype(np.float32)
    normals = vertex_normals(vertices, model.faces).astype(np.float32)
    joints = np.argsort(-model.weights, 1)[:, :_WEIGHTS]
    weights = np.take_along_axis(model.weights, joints, 1).astype(np.float64)
    weights = (weights / weights.sum(1, keepdims=True)).astype(np.float32)
    joints[weights == 0] = 0
    attributes: dict[str, Json] = {
        "POSITION": buffer.add(vertices, _VERTEX_DATA, has_bounds=True),
        "NORMAL": buffer.add(normals, _VERTEX_DATA),
        "JOINTS_0": buffer.add(joints.astype(np.uint8), _VERTEX_DATA),
        "WEIGHTS_0": buffer.add(weights, _VERTEX_DATA),
    }
    indices = buffer.add(model.faces.astype(np.uint32).reshape(-1), _INDEX_DATA)
    return {"name": "body", "primitives": [{"attributes": attributes, "indices": indices, "material": 0}]}


def _animation(buffer: _Buffer, track: Track, rig: Rig) -> Json:
    """Rotations of all joints and the position of the pelvis, interpolated linearly between frames."""
    joints = len(rig.joints)
    times = buffer.add(track.times.astype(np.float32), has_bounds=True)
    quats = _continuous(rotvec_to_quat(rig.pose)).astype(np.float32)
    outputs = [buffer.add(quats[:, joint]) for joint in range(joints)] + [buffer.add(rig.pelvis.astype(np.float32))]
    samplers: list[Json] = [{"input": times, "output": output, "interpolation": "LINEAR"} for output in outputs]
    channels: list[Json] = [
        {"sampler": joint, "target": {"node": joint, "path": "rotation"}} for joint in range(joints)
    ]
    channels.append({"sampler": joints, "target": {"node": 0, "path": "translation"}})
    return {"name": f"track_{track.name}", "samplers": samplers, "channels": channels}


def _continuous(quats: Floats) -> Floats:
    """(T, K, 4), each with the sign that is near the one before: some viewers take the longer way otherwise."""
    flips = np.sign((quats[1:] * quats[:-1]).sum(-1, keepdims=True))
    flips = np.cumprod(np.where(flips == 0, 1, flips), 0)
    return np.asarray(np.concatenate([quats[:1], quats[1:] * flips]))


def _material(color: Color) -> Json:
    linear: list[Json] = [float(part) ** 2.2 for part in color]  # glTF's factors are linear
    return {"pbrMetallicRoughness": {"baseColorFactor": [*linear, 1.0], "metallicFactor": 0.0, "roughnessFactor": 0.8}}
