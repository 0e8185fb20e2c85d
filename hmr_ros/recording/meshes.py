# SPDX-License-Identifier: Apache-2.0
"""Bodies as .glb and .obj files for 3D viewers."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Literal

import numpy as np

from hmr_ros.core.arrays import Bytes, Floats, Ints
from hmr_ros.core.manifest import atomic_path
from hmr_ros.core.people import Bodies
from hmr_ros.perception.overlay import person_color
from hmr_ros.recording.entry import Entry

MeshFormat = Literal["glb", "obj"]

GLTF_FROM_OPTICAL = np.diag([1.0, -1.0, -1.0])
"""Camera's optical frame (x right, y down, z forward) -> glTF's (x right, y up, z backward): a rotation."""


class Meshes:
    """Writes ``STEM.glb`` or ``.obj`` into a directory, of every ``every``-th image, where there are bodies in it.

    Coordinates are metres in the camera's frame with the axes of glTF: x right, y up, z from the scene to the camera,
    which is at the origin. ``faces`` (F, 3) are the triangles of every body. Raises RuntimeError without trimesh.
    """

    def __init__(self, directory: Path, mesh_format: MeshFormat, faces: Ints, every: int = 1) -> None:
        require_trimesh()
        self._directory = directory
        self._format = mesh_format
        self._faces = faces
        self._every = every
        self._images = 0

    def write(self, entry: Entry) -> None:
        """Write the file of ``entry``, if it is the ``every``-th one."""
        is_due = self._images % self._every == 0
        self._images += 1
        trusted = entry.trusted()
        bodies = trusted.take(trusted.valid)
        if is_due and len(bodies):
            self._directory.mkdir(exist_ok=True)
            encoded = encode_meshes(bodies, self._faces, self._format)
            with atomic_path(self._directory / f"{entry.stem}.{self._format}") as temporary:
                temporary.write_bytes(encoded)

    def close(self) -> None:
        """Every file is written already."""


def require_trimesh() -> None:
    """Raise RuntimeError, with the remedy, where trimesh is not installed."""
    if importlib.util.find_spec("trimesh") is None:
        raise RuntimeError(
            "meshes are written by the Python module trimesh, which is not installed: "
            "pip install trimesh (or hmr_ros[view]), or leave out --mesh"
        )


def encode_meshes(bodies: Bodies, faces: Ints, mesh_format: MeshFormat) -> bytes:
    """The content of a .glb or .obj file with one mesh ``body_ID`` for each of ``bodies``, all of them valid."""
    import trimesh  # takes a second, and only files of meshes need it

    scene = trimesh.Scene()
    for body_id, vertices in zip(bodies.ids, bodies.vertices, strict=True):
        mesh = trimesh.Trimesh(to_gltf(vertices), faces, process=False, vertex_colors=_rgba(int(body_id)))
        scene.add_geometry(mesh, node_name=f"body_{body_id}", geom_name=f"body_{body_id}")
    encoded = scene.export(file_type=mesh_format)
    return encoded.encode() if isinstance(encoded, str) else bytes(encoded)


def to_gltf(points: Floats) -> Floats:
    """(..., 3) m of the optical frame -> (..., 3) m with glTF's axes."""
    return np.asarray(points @ GLTF_FROM_OPTICAL.T)


def _rgba(body_id: int) -> Bytes:
    """(4,) uint8, as in the overlay."""
    return np.round(255 * np.array([*person_color(body_id), 1.0])).astype(np.uint8)
