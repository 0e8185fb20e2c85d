# SPDX-License-Identifier: Apache-2.0
"""The demo as a scene for the viewer Rerun, demo.rrd."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.results.recording_file import snapshot_of
from hmr_ros.results.snapshot import Snapshot
from hmr_ros.ros.player.recorder import Moment

NAME = "demo.rrd"


def write_scene(path: Path, moments: Sequence[Moment], body_model: BodyModel) -> bool:
    """Write ``moments`` to ``path``; False where the Python module rerun, which does it, is not installed."""
    if importlib.util.find_spec("rerun") is None:
        return False
    from hmr_ros.viewing.output import to_file
    from hmr_ros.viewing.showing import show_result

    snapshots = list(_snapshots(moments))
    pictured = (
        dataclasses.replace(snapshot, image=moment.image()) for snapshot, moment in zip(snapshots, moments, strict=True)
    )
    show_result(snapshots, pictured, body_model, partial(to_file, path))
    return True


def _snapshots(moments: Sequence[Moment]) -> Iterator[Snapshot]:
    began_ns = None
    for number, moment in enumerate(moments):
        snapshot = snapshot_of(moment.message, number, 0.0)
        now_ns = snapshot.header_ns or 0
        began_ns = now_ns if began_ns is None else began_ns
        yield dataclasses.replace(snapshot, stamp_s=(now_ns - began_ns) * 1e-9, camera=moment.camera)
