# SPDX-License-Identifier: Apache-2.0
"""A file or directory -> the snapshots in it."""

from __future__ import annotations

from pathlib import Path

from hmr_ros.recording import directory
from hmr_ros.results.arrays_file import read_arrays
from hmr_ros.results.snapshot import Snapshot
from hmr_ros.ros.bag import opening
from hmr_ros.ros.bag.recording import Report


def read_results(path: Path, topic: str, report: Report) -> tuple[Snapshot, ...]:
    """The snapshots, without images, of a bodies.npz, a recording with bodies, or the directory of a run.

    ``topic`` is that of the bodies in a recording, "": the only one. Raises ValueError or RecordingError with the
    remedy.
    """
    path = _file_of(path.expanduser())
    if path.suffix == ".npz":
        return read_arrays(path)
    opening.require("mcap", path)
    from hmr_ros.results.recording_file import read_bodies

    return read_bodies(path, topic, report)


def _file_of(path: Path) -> Path:
    """``path``, or the result in the directory of a run. Raises ValueError for what is no result."""
    if path.is_dir():
        for name in (directory.MCAP, directory.ARRAYS):
            if (path / name).is_file():
                return path / name
    if not path.exists():
        raise ValueError(f"{path}: no such file or directory; give bodies.npz or bodies.mcap of hmr run")
    if path.suffix == ".npz" or opening.is_recording(path):
        return path
    raise ValueError(f"{path}: no result; give bodies.npz, a recording with bodies, or the directory of hmr run")


def recording_in(path: Path) -> Path | None:
    """The recording that ``read_results`` reads in ``path``, None where that is arrays."""
    path = _file_of(path.expanduser())
    return None if path.suffix == ".npz" else path
