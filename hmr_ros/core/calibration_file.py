# SPDX-License-Identifier: Apache-2.0
"""The YAML file that ROS's camera_calibration writes, read without ROS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_MAX_CHARACTERS = 16_384
"""A calibration has about a thousand."""

_MAX_LISTS = 100
"""A calibration has about ten lists and mappings in brackets."""


class CalibrationError(ValueError):
    """A calibration file that cannot be used."""


@dataclass(frozen=True)
class CalibrationFile:
    """The fields of sensor_msgs/CameraInfo: for images ``width`` x ``height`` px, matrices row by row.

    ``K`` 9 values in px; ``D`` coefficients of ``distortion_model``; ``R`` 9 values; ``P`` 12 values in px.
    """

    width: int
    height: int
    distortion_model: str
    D: tuple[float, ...]
    K: tuple[float, ...]
    R: tuple[float, ...]
    P: tuple[float, ...]


def read_calibration(path: Path) -> CalibrationFile:
    """The content of the file. Raises CalibrationError, which names it."""
    import yaml  # PyYAML is needed here alone; the rest of core imports numpy only

    try:
        content = yaml.safe_load(_text(path))
        return CalibrationFile(
            width=int(content["image_width"]),
            height=int(content["image_height"]),
            distortion_model=str(content["distortion_model"]),
            D=_floats(content["distortion_coefficients"]),
            K=_floats(content["camera_matrix"], 9),
            R=_floats(content["rectification_matrix"], 9),
            P=_floats(content["projection_matrix"], 12),
        )
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as err:
        raise CalibrationError(f"{path}: cannot be read ({err})") from err
    except (KeyError, TypeError, ValueError, OverflowError) as err:
        raise CalibrationError(f"{path}: not a file of camera_calibration ({type(err).__name__}: {err})") from err


def _text(path: Path) -> str:
    """The content of the file, unless it is too large or nested: PyYAML takes half a minute for 5000 open brackets."""
    with path.open(encoding="utf-8") as stream:
        text = stream.read(_MAX_CHARACTERS + 1)
    if len(text) > _MAX_CHARACTERS:
        raise ValueError(f"more than {_MAX_CHARACTERS} characters")
    if text.count("[") + text.count("{") > _MAX_LISTS:
        raise ValueError(f"more than {_MAX_LISTS} lists")
    return text


def _floats(matrix: Mapping[str, object], size: int | None = None) -> tuple[float, ...]:
    data = matrix["data"]
    if not isinstance(data, list):
        raise TypeError(f"data: expected a list, got {data!r}")
    if size is not None and len(data) != size:
        raise ValueError(f"data: expected {size} values, got {len(data)}")
    return tuple(map(float, data))
