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

_LOOK_AHEAD_M = 5.0
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
    panels = layout(is_live=False, has_time=has_time, look_at=_middle(snapshots, floor))
    with opening(panels) as output:
        scene = Scene(output.recording, body_model, mesh_faces)
        scene.stand_on(floor)
        for snapshot in with_images:
            scene.show(snapshot)
        output.recording.flush()
        output.wait()


def show_live(
    snapshots: Iterable[Snapshot | None], body_model: BodyModel, opening: Opening, mesh_faces: int = MESH_FACES
) -> None:
    """Show ``snapshots`` as they come, until Ctrl-C. The floor is that of the people so far."""
    seen: list[Snapshot] = []
    panels = layout(is_live=True, has_time=True, look_at=np.array([_LOOK_AHEAD_M, 0.0, 1.0]))
    with opening(panels) as output:
        scene = Scene(output.recording, body_model, mesh_faces)
        scene.stand_on(LEVEL_CAMERA)
        with contextlib.suppress(KeyboardInterrupt):  # what was shown stays, as in a file
            for snapshot in filter(None, snapshots):
                if len(snapshot.shown) and len(seen) < max(_FLOOR_SNAPSHOTS):
                    seen.append(snapshot)
                    if len(seen) in _FLOOR_SNAPSHOTS:
                        scene.stand_on(floor_of(seen, body_model))
                scene.show(snapshot)


def _middle(snapshots: Sequence[Snapshot], floor: Floor) -> Floats:
    """(3,) m in the world: the median position of the people."""
    positions = [each.shown.cam_t for each in snapshots if len(each.shown)]
    if not positions:
        return np.array([_LOOK_AHEAD_M, 0.0, 1.0])
    middle: Floats = np.median(floor.floor_from_optical(np.concatenate(positions).astype(np.float64)), 0)
    return middle
