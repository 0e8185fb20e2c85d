# SPDX-License-Identifier: Apache-2.0
"""The directory of a run: which it is, and what an earlier run left there."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

JSON_LINES, ARRAYS, VIDEO, MCAP = "bodies.jsonl", "bodies.npz", "overlay.mp4", "bodies.mcap"
OVERLAYS, MESHES = "overlay", "meshes"

_FILES = (JSON_LINES, ARRAYS, VIDEO, MCAP, f"{OVERLAYS}/*.png", f"{MESHES}/*.glb", f"{MESHES}/*.obj")
"""All that a run writes, as patterns within its directory."""

DEFAULT_ROOT = Path("out/run")


def free_directory(name: str, root: Path = DEFAULT_ROOT) -> Path:
    """``root/name``, or, where a run has left files there, the first of ``root/name-2``, ``-3``, ... without any."""
    candidates = itertools.chain([root / name], (root / f"{name}-{k}" for k in itertools.count(2)))
    return next(path for path in candidates if not _is_taken(path))


def chosen(out: Path | None, name: str, *, overwrites: bool) -> Path:
    """The directory ``out``, or without one that of the source ``name``, free unless the run ``overwrites``.

    Raises FileExistsError for one that an earlier run has used.
    """
    if out is None:
        return DEFAULT_ROOT / name if overwrites else free_directory(name)
    if not overwrites:
        check_free(out)
    return out


def check_free(directory: Path) -> None:
    """Raise FileExistsError, with the remedy, where a run has left files in ``directory``."""
    if _is_taken(directory):
        raise FileExistsError(f"{directory} holds files of another run: choose another --out, or give --overwrite")


def prepare(directory: Path) -> None:
    """Make ``directory``, and remove what an earlier run wrote there: no file is of one run among files of another.

    Files that no run writes stay. Raises OSError, with the remedy, where it cannot be made.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        where = "" if directory.is_absolute() else f" in {Path.cwd()}"
        raise OSError(f"{directory} cannot be made{where} ({err.strerror}): choose another --out") from err
    for path in list(written_files(directory)):
        path.unlink()


def written_files(directory: Path) -> Iterator[Path]:
    """The files in ``directory`` that runs write."""
    return (path for pattern in _FILES for path in sorted(directory.glob(pattern)) if path.is_file())


def results(directory: Path) -> Iterator[Path]:
    """What a run has left in ``directory``, and in those of each of several cameras."""
    for name in (MCAP, JSON_LINES, ARRAYS, VIDEO, OVERLAYS, MESHES):
        yield from sorted(path for path in (directory / name, *directory.glob(f"*/{name}")) if path.exists())


def _is_taken(directory: Path) -> bool:
    if directory.exists() and not directory.is_dir():
        raise NotADirectoryError(f"{directory} is a file; choose another --out")
    return next(written_files(directory), None) is not None
