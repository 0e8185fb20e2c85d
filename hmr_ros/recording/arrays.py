# SPDX-License-Identifier: Apache-2.0
"""Bodies as flat arrays: one .npz file of a whole run, without pickles."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hmr_ros.core.arrays import Array
from hmr_ros.core.forecasts import FORECAST_COLUMNS, Forecasts
from hmr_ros.core.manifest import atomic_path
from hmr_ros.core.people import Bodies
from hmr_ros.core.records import join_rows
from hmr_ros.recording.entry import Entry

_OTHERS = ("vertices", "joint_set", "hands", "forecasts")

COLUMNS = tuple(f.name for f in dataclasses.fields(Bodies) if f.name not in _OTHERS)
"""The arrays of Bodies that are kept; vertices follow from the SMPL parameters."""

HAND_COLUMNS = {"hand_presence": "presence", "hand_pose": "fingers", "hand_error": "errors"}
"""The arrays of BodyHands that are kept, by their names in the file, where hands are looked for."""

FORECASTS = tuple(f"forecast_{name}" for name in FORECAST_COLUMNS)
"""Those of their forecasts, where there are any."""

OF_THE_RUN = ("joint_set", "forecast_ahead_s")
"""Arrays that are the same for all images and bodies."""


@dataclasses.dataclass(frozen=True, eq=False)
class _Row:
    """What is kept of one image."""

    name: str
    index: int
    stamp_s: float
    size: tuple[int, int]
    K: Array
    D: Array
    distortion_model: str
    joint_set: str
    columns: dict[str, Array]
    forecasts: Forecasts | None


class Arrays:
    """Collects entries, and writes them when it is closed; nothing when there was none.

    The arrays of N bodies in I images: those of ``Bodies`` under their names, (N, ...); ``image_index`` (N,) which of
    the images each body is in; and of the images ``image_name``, ``image_frame``, ``image_stamp_s`` (I,) (NaN: a
    photo), ``camera_K`` (I, 3, 3), ``camera_D`` (I, D), ``camera_size`` (I, 2) width and height in px,
    ``camera_model`` (I,) names of distortion models; ``joint_set``, the name of the keypoints' joints. With hands:
    ``hand_presence`` (N, 2), ``hand_pose`` (N, 2, 15, 3) and ``hand_error`` (N, 2), as in ``BodyHands``. Of forecasts
    ``forecast_ahead_s`` (F,), and the arrays of ``Forecasts`` as ``forecast_cam_t`` (N, F, 3) and so on.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: list[_Row] = []

    def write(self, entry: Entry) -> None:
        """Keep the bodies of ``entry``, but no pixels."""
        camera, bodies = entry.camera, entry.bodies
        stamp_s = np.nan if entry.stamp_s is None else entry.stamp_s
        columns = {name: np.asarray(getattr(bodies, name)) for name in COLUMNS}
        if bodies.hands is not None:
            columns |= {name: getattr(bodies.hands, column) for name, column in HAND_COLUMNS.items()}
        size = (camera.width, camera.height)
        lens = (camera.K, camera.D, camera.distortion_model)
        kept = _Row(entry.name, entry.index, stamp_s, size, *lens, bodies.joint_set, columns, bodies.forecasts)
        self._rows.append(kept)

    def close(self) -> None:
        """Write the file."""
        if self._rows:
            write_arrays(self._path, _tables(self._rows))
        self._rows = []


def write_arrays(path: Path, tables: Mapping[str, Array]) -> None:
    """Write ``tables``, none of which is of objects, so that none is pickled."""
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        # numpy before 2.1 would take allow_pickle for an array of that name.
        np.savez_compressed(stream, **tables)  # type: ignore[arg-type]


def _tables(rows: list[_Row]) -> dict[str, Array]:
    counts = [len(row.columns["ids"]) for row in rows]
    bodies = {name: np.concatenate([row.columns[name] for row in rows]) for name in rows[0].columns}
    return {
        "image_index": np.repeat(np.arange(len(rows)), counts),
        "image_name": np.array([row.name for row in rows]),
        "image_frame": np.array([row.index for row in rows]),
        "image_stamp_s": np.array([row.stamp_s for row in rows], np.float64),
        "camera_K": np.stack([row.K for row in rows]),
        "camera_D": np.stack([row.D for row in rows]),
        "camera_model": np.array([row.distortion_model for row in rows]),
        "camera_size": np.array([row.size for row in rows]),
        "joint_set": np.array(rows[0].joint_set),
        **bodies,
        **_forecast_tables([row.forecasts for row in rows if row.forecasts is not None]),
    }


def _forecast_tables(forecasts: list[Forecasts]) -> dict[str, Array]:
    """Of all images, which have the same times ahead; nothing where none were asked for."""
    if not forecasts:
        return {}
    every = join_rows(forecasts)
    columns = {f"forecast_{name}": np.asarray(getattr(every, name), np.float32) for name in FORECAST_COLUMNS}
    return {"forecast_ahead_s": np.array(every.ahead_s), **columns}
