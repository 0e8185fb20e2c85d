# SPDX-License-Identifier: Apache-2.0
"""What directories and patterns hold: recordings, videos, directories of photos, photos."""

from __future__ import annotations

import enum
import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hmr_ros.media.errors import SourceError
from hmr_ros.media.images import IMAGE_SUFFIXES
from hmr_ros.ros.bag import opening

VIDEO_SUFFIXES = frozenset(
    (".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm", ".wmv")
)


class Kind(enum.Enum):
    """What an input is."""

    RECORDING = "recording"
    VIDEO = "video"
    PHOTOS = "photos"


@dataclass(frozen=True)
class Input:
    """One input: the file or directory ``path``, which is absolute."""

    path: Path
    kind: Kind

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that hold its images, sorted."""
        if self.path.is_file():
            return (self.path,)
        if self.kind is Kind.PHOTOS:
            return tuple(path for path in _visible(self.path) if _is_photo(path))
        return tuple(path for path in _visible(self.path) if path.is_file())


def find(patterns: Sequence[str], without: Path) -> tuple[Input, ...]:
    """The inputs that ``patterns`` name, each once: files, directories, which are searched, and patterns with * and **.

    A directory of rosbag2 (with its metadata.yaml) is one input, and so are the photos of a directory. What lies in
    ``without``, the directory of the results, is left out. Raises SourceError for a pattern that names nothing.
    """
    paths = [path for pattern in patterns for path in _named(pattern)]
    found = {each.path: each for path in paths for each in _inputs(path, without.absolute())}
    if not found:
        raise SourceError(f"{' '.join(patterns)}: no recordings, videos or photos there")
    return tuple(each for path, each in sorted(found.items()) if not _is_part(path, found))


def _named(pattern: str) -> list[Path]:
    """The paths that ``pattern`` names, absolute."""
    path = Path(pattern).expanduser()
    if path.exists():
        return [path.absolute()]
    names = glob.glob(str(path), recursive=True)
    if not names:
        raise SourceError(f"{pattern}: no such file or directory; of many inputs none is a webcam or a stream")
    return [Path(name).absolute() for name in sorted(names)]


def _inputs(path: Path, without: Path) -> Iterator[Input]:
    """The inputs in ``path``, whatever it is."""
    if path == without or without in path.parents:
        return
    if path.is_file():
        kind = _kind(path)
        if kind is not None:
            yield Input(path, kind)
    elif opening.has_metadata(path):
        yield Input(path, Kind.RECORDING)
    elif path.is_dir():
        yield from _searched(path, without)


def _searched(directory: Path, without: Path) -> Iterator[Input]:
    """The inputs in a directory, its photos as one."""
    entries = _visible(directory)
    if any(_is_photo(path) for path in entries):
        yield Input(directory, Kind.PHOTOS)
    for path in entries:
        if not _is_photo(path):
            yield from _inputs(path, without)


def _visible(directory: Path) -> list[Path]:
    return sorted(path for path in directory.iterdir() if not path.name.startswith("."))


def _is_photo(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()


def _kind(path: Path) -> Kind | None:
    """What the file ``path`` is, by its name; None: no input."""
    if opening.is_recording(path):
        return Kind.RECORDING
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return Kind.VIDEO
    return Kind.PHOTOS if path.suffix.lower() in IMAGE_SUFFIXES else None


def _is_part(path: Path, found: dict[Path, Input]) -> bool:
    """Whether another input holds the file ``path``: the recording, or the photos, of its directory."""
    whole = found.get(path.parent)
    return whole is not None and path in whole.files
