# SPDX-License-Identifier: Apache-2.0
"""A whole result, or what a node publishes, into an output."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager

import numpy as np
import rerun.blueprint as rrb

from hmr_ros.core.arrays import Floats
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.results.floor import LEVEL_CAMERA, Floor, floor_of
from hmr_ros.results.snapshot import Snapshot
from hmr_ros.viewing.layout import layout
from hmr_ros.viewing.output import Output
from hmr_ros.viewing.scene import Scene

MESH_FACES = 1000
"""Triangles of each body: 12 kB in each image; all 13776 would be 160 kB."""

_EXPECTED = np.array([[3.0, -1.5, 1.0], [3.0, 1.5, 1.0], [7.0, -1.5, 1.0], [7.0, 1.5, 1.0]])
"""(4, 3) m in the world: around people as long as none was seen."""

_FLOOR_SNAPSHOTS = (1, 5, 20, 80)
"""So many images with people are there when the floor of a running node is estimated."""

Opening = Callable[[rrb.Blueprint], AbstractContextManager[Output]]
"""Opens an output with its panels."""


def show_result(
    snapshots: Sequence[Snapshot],
    with_images: Iterable[Snapshot],
    body_model: BodyModel,
    opening: Opening,
    mesh_faces: int = MESH_FACES,
) -> None:
    """Show ``with_images``, the ``snapshots`` with their images, and wait until no one looks any more."""
    floor = floor_of(snapshots, body_model)
    has_time = any(np.isfinite(each.stamp_s) for each in snapshots)
    positions = _positions(snapshots, floor)
    panels = layout(is_live=False, has_time=has_time, positions=positions)
    with opening(panels) as output:
        scene = Scene(output.recording, body_model, mesh_faces)
        scene.stand_on(floor, positions)
        for snapshot in with_images:
            scene.show(snapshot)
        output.recording.flush()
        output.wait()


def show_live(
    snapshots: Iterable[Snapshot | None], body_model: BodyModel, opening: Opening, mesh_faces: int = MESH_FACES
) -> None:
    """Show ``snapshots`` as they come, until Ctrl-C. The floor is that of the people so far."""
    seen: list[Snapshot] = []
    panels = layout(is_live=True, has_time=True, positions=_EXPECTED)
    with opening(panels) as output:
        scene = Scene(output.recording, body_model, mesh_faces)
        scene.stand_on(LEVEL_CAMERA, _EXPECTED)
        with contextlib.suppress(KeyboardInterrupt):  # what was shown stays, as in a file
            for snapshot in filter(None, snapshots):
                if len(snapshot.shown) and len(seen) < max(_FLOOR_SNAPSHOTS):
                    seen.append(snapshot)
                    if len(seen) in _FLOOR_SNAPSHOTS:
                        floor = floor_of(seen, body_model)
                        scene.stand_on(floor, _positions(seen, floor))
                scene.show(snapshot)


def _positions(snapshots: Sequence[Snapshot], floor: Floor) -> Floats:
    """(N, 3) m in the world of all people, N > 0."""
    positions = [each.shown.cam_t for each in snapshots if len(each.shown)]
    if not positions:
        return _EXPECTED
    found: Floats = floor.floor_from_optical(np.concatenate(positions).astype(np.float64))
    return found
