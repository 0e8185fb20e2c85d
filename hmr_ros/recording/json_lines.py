# SPDX-License-Identifier: Apache-2.0
"""Bodies as JSON lines: one object per image."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np

from hmr_ros.core.arrays import Array
from hmr_ros.core.forecasts import FORECAST_COLUMNS, Forecasts
from hmr_ros.core.named_errors import named_os_errors
from hmr_ros.core.people import Bodies, Camera, State
from hmr_ros.recording.entry import Entry

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

_NAMES = {"ids": "id", "states": "state", "scores": "score"}
"""Columns of Bodies whose value for one person has a name of its own."""

_LEFT_OUT = frozenset({"vertices", "joint_set", "hands", "forecasts"})
"""Hands and forecasts are objects of their own; vertices follow from the SMPL parameters, and would make a line a
hundred times as long."""

_OF_HANDS = {"presence": "presence", "pose": "fingers", "error": "errors"}
"""What is written of BodyHands, left hand first."""


class JsonLines:
    """Writes a line per image, at once: a reader finds whole lines meanwhile. ``appends``: after those in the file."""

    def __init__(self, path: Path, *, appends: bool = False) -> None:
        self._path = path
        self._stream = path.open("a" if appends else "w", encoding="utf-8")

    def write(self, entry: Entry) -> None:
        """Append the line of ``entry``."""
        with named_os_errors(self._path):
            self._stream.write(to_line(entry) + "\n")
            self._stream.flush()

    def close(self) -> None:
        """Close the file."""
        with named_os_errors(self._path):
            self._stream.close()


def to_line(entry: Entry) -> str:
    """One JSON object without line breaks; numbers have six digits, and what is unknown is null."""
    record: dict[str, Json] = {
        "image": entry.name,
        "frame": entry.index,
        "stamp_s": None if entry.stamp_s is None else _rounded(entry.stamp_s, 9),
        "camera": _camera(entry.camera),
        "lost": list(entry.lost),
        "joint_set": entry.bodies.joint_set,
        **({} if entry.header_ns is None else {"header_stamp_ns": entry.header_ns}),
        "bodies": [_body(entry.bodies, row) for row in range(len(entry.bodies))],
    }
    return json.dumps(record, allow_nan=False, separators=(",", ":"))


def _camera(camera: Camera) -> Json:
    return {
        "width": camera.width,
        "height": camera.height,
        "K": to_json(camera.K),
        "distortion_model": camera.distortion_model,
        "D": to_json(camera.D),
    }


def _body(bodies: Bodies, row: int) -> Json:
    columns = [field.name for field in dataclasses.fields(bodies) if field.name not in _LEFT_OUT]
    record: dict[str, Json] = {_NAMES.get(name, name): to_json(getattr(bodies, name)[row]) for name in columns}
    if bodies.hands is not None:
        record["hands"] = {name: to_json(getattr(bodies.hands, own)[row]) for name, own in _OF_HANDS.items()}
    if bodies.forecasts is not None:
        record["forecasts"] = _forecasts(bodies.forecasts, row)
    return record | {"state": State(int(bodies.states[row])).name}


def _forecasts(forecasts: Forecasts, row: int) -> Json:
    """One object for each time ahead; none for a person without a position."""
    if not np.isfinite(forecasts.cam_t[row]).all():
        return []
    columns = {name: to_json(getattr(forecasts, name)[row]) for name in FORECAST_COLUMNS}
    return [
        {"ahead_s": seconds, **{name: values[k] for name, values in columns.items() if isinstance(values, list)}}
        for k, seconds in enumerate(forecasts.ahead_s)
    ]


def to_json(values: Array) -> Json:
    """An array of numbers as nested lists (a scalar as a number): six digits, null for NaN and infinities."""
    values = np.asarray(values)
    if values.dtype.kind in "biu":
        plain: Json = values.tolist()
        return plain
    return _nested([_rounded(value) for value in values.ravel().tolist()], values.shape)


def _rounded(value: float, digits: int = 6) -> float | None:
    return float(f"{value:.{digits}g}") if math.isfinite(value) else None


def _nested(flat: list[float | None], shape: tuple[int, ...]) -> Json:
    """``flat`` values in the order of rows -> lists in lists of ``shape``."""
    if not shape:
        return flat[0]
    step = math.prod(shape[1:])
    return [_nested(flat[k * step : (k + 1) * step], shape[1:]) for k in range(shape[0])]
