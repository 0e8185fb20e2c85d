# SPDX-License-Identifier: Apache-2.0
"""The bodies.npz of `hmr run`, image by image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from hmr_ros.core.archives import open_archive
from hmr_ros.core.arrays import Array
from hmr_ros.core.forecasts import FORECAST_COLUMNS, Forecasts
from hmr_ros.core.hands import BodyHands
from hmr_ros.core.people import Bodies, Camera
from hmr_ros.recording.arrays import COLUMNS
from hmr_ros.results.snapshot import Snapshot

_OF_IMAGES = ("image_index", "image_name", "image_frame", "image_stamp_s", "camera_K", "camera_D", "camera_size")


def read_arrays(path: Path) -> tuple[Snapshot, ...]:
    """The snapshots of the file at ``path``, without images. Raises ValueError for another file, with the remedy."""
    try:
        with open_archive(path) as archive:
            arrays = {name: np.asarray(archive[name]) for name in archive}
        return tuple(_snapshots(arrays))
    except (OSError, ValueError, KeyError, IndexError) as err:
        raise ValueError(f"{path}: not a bodies.npz of hmr run: {err}") from err


def _snapshots(arrays: Mapping[str, Array]) -> Iterator[Snapshot]:
    if missing := [name for name in (*_OF_IMAGES, *COLUMNS, "joint_set") if name not in arrays]:
        raise ValueError(f"it lacks {', '.join(missing)}")
    images = range(len(arrays["image_name"]))
    starts, ends = (np.searchsorted(arrays["image_index"], np.array(images), side) for side in ("left", "right"))
    for row, start, end in zip(images, starts, ends, strict=True):
        bodies = _bodies(arrays, slice(start, end))
        yield Snapshot(
            number=int(arrays["image_frame"][row]),
            stamp_s=float(arrays["image_stamp_s"][row]),
            bodies=bodies,
            names=tuple(str(body_id) for body_id in bodies.ids),
            camera=_camera(arrays, row),
        )


def _bodies(arrays: Mapping[str, Array], rows: slice) -> Bodies:
    columns = {name: arrays[name][rows] for name in COLUMNS}
    no_meshes = np.zeros((len(columns["ids"]), 0, 3), np.float32)
    ahead = _forecasts(arrays, rows) if "forecast_ahead_s" in arrays else None
    hands = _hands(arrays, rows) if "hand_pose" in arrays else None
    return Bodies(**columns, joint_set=str(arrays["joint_set"]), vertices=no_meshes, hands=hands, forecasts=ahead)


def _hands(arrays: Mapping[str, Array], rows: slice) -> BodyHands:
    presence, pose, error = (arrays[name][rows] for name in ("hand_presence", "hand_pose", "hand_error"))
    return BodyHands.recorded(presence, pose, error)


def _forecasts(arrays: Mapping[str, Array], rows: slice) -> Forecasts:
    columns = {name: arrays[f"forecast_{name}"][rows] for name in FORECAST_COLUMNS}
    return Forecasts(**columns, ahead_s=tuple(arrays["forecast_ahead_s"].tolist()))


def _camera(arrays: Mapping[str, Array], row: int) -> Camera:
    width, height = (int(pixels) for pixels in arrays["camera_size"][row])
    model = str(arrays["camera_model"][row]) if "camera_model" in arrays else Camera.distortion_model
    return Camera(arrays["camera_K"][row], width, height, model, arrays["camera_D"][row])
