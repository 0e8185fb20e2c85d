# SPDX-License-Identifier: Apache-2.0
"""A file or directory -> the recording in it."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from hmr_ros.ros.bag.recording import Record, Recording, RecordingError, Report, Topic

_METADATA = "metadata.yaml"
_SUFFIXES = (".mcap", ".db3", ".bag")
_PACKED = ".zstd"
_REMEDY = "pip install 'hmr_ros[bag]'"


def is_recording(path: Path) -> bool:
    """Whether ``path`` is named as a recording, or is a directory of rosbag2 with or without its metadata."""
    if path.is_dir():
        return has_metadata(path) or any(_is_file_name(each) for each in path.iterdir())
    return _is_file_name(path)


def has_metadata(path: Path) -> bool:
    """Whether ``path`` is a directory of rosbag2 with its metadata."""
    return (path / _METADATA).is_file()


def open_recording(path: Path, report: Report) -> Recording:
    """The recording in ``path``: .mcap, .db3, .bag of ROS 1, or a directory of rosbag2. ``report`` takes each problem.

    Raises RecordingError, which names the file and the remedy.
    """
    if not path.exists():
        raise RecordingError(
            f"{path}: no such file or directory; give a recording (.mcap, .db3, .bag, or its directory)"
        )
    storage = _stored(path, report) if path.is_dir() else _Storage((path,))
    with contextlib.ExitStack() as opened:
        parts = [opened.enter_context(contextlib.closing(part)) for part in _opened(storage, report, opened)]
        if not parts:
            raise RecordingError(f"{path}: nothing in it can be read")
        return _Chain(parts, opened.pop_all())


@dataclass(frozen=True)
class _Storage:
    """The files of a recording in their order; ``packs_messages``: each message is compressed by itself."""

    files: tuple[Path, ...]
    packs_messages: bool = False


class _Chain:
    """Files one after the other, as rosbag2 splits long recordings."""

    def __init__(self, parts: Sequence[Recording], opened: contextlib.ExitStack) -> None:
        self._parts = parts
        self._opened = opened
        self._topics: dict[str, Topic] = {}
        for part in parts:
            for name, topic in part.topics.items():
                known = self._topics.get(name)
                count = topic.count + (known.count if known is not None else 0)
                self._topics[name] = replace(known or topic, count=count)

    @property
    def topics(self) -> Mapping[str, Topic]:
        return self._topics

    @property
    def span_ns(self) -> tuple[int, int]:
        spans = [part.span_ns for part in self._parts if part.span_ns[1]]
        return min((first for first, _ in spans), default=0), max((last for _, last in spans), default=0)

    def records(self, topics: Collection[str] | None = None) -> Iterator[Record]:
        for part in self._parts:
            yield from part.records(topics)

    def close(self) -> None:
        self._opened.close()


def _is_file_name(path: Path) -> bool:
    return path.name.removesuffix(_PACKED).endswith(_SUFFIXES) and not path.name.startswith(".")


def _stored(directory: Path, report: Report) -> _Storage:
    """The files of a directory, by its metadata, or by their names where that is missing or broken."""
    found = tuple(sorted(path for path in directory.iterdir() if _is_file_name(path)))
    try:
        content = yaml.safe_load((directory / _METADATA).read_text(encoding="utf-8"))
        information = content["rosbag2_bagfile_information"]
        files = tuple(directory / Path(name).name for name in information["relative_file_paths"])
        packs_messages = information.get("compression_mode", "").upper() == "MESSAGE"
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, AttributeError) as err:
        report(
            f"{directory}: no usable {_METADATA} ({type(err).__name__}): all files are read in the order of their names"
        )
        return _Storage(found)
    for missing in [file for file in files if not file.is_file()]:
        report(f"{missing}: {_METADATA} names it, but it is not there: the other files are read")
    # A recorder that was killed has not named its last file.
    named = tuple(file for file in files if file.is_file())
    return _Storage((*named, *(file for file in found if file not in named)), packs_messages)


def _opened(storage: _Storage, report: Report, opened: contextlib.ExitStack) -> Iterator[Recording]:
    """Each of the files that can be read; another is reported, unless it is the only one. Raises RecordingError."""
    for file in storage.files:
        try:
            yield _open_file(file, report, opened, _unpack_message if storage.packs_messages else bytes)
        except RecordingError as err:
            if len(storage.files) == 1:
                raise
            report(f"{err}: the other files are read")


def _open_file(
    path: Path, report: Report, opened: contextlib.ExitStack, unpacked: Callable[[bytes], bytes]
) -> Recording:
    if path.suffix == _PACKED:
        directory = opened.enter_context(tempfile.TemporaryDirectory(prefix="hmr_ros-"))
        path = _unpack_file(path, Path(directory))
    if path.suffix == ".db3":
        from hmr_ros.ros.bag.sqlite_file import SqliteRecording

        return SqliteRecording(path, report, unpacked)
    if path.suffix == ".mcap":
        require("mcap", path)
        from hmr_ros.ros.bag.mcap_file import McapRecording

        return McapRecording(path, report)
    require("rosbags", path)
    from hmr_ros.ros.bag.ros1_bag import Ros1Recording

    return Ros1Recording(path, report)


def _unpack_file(path: Path, directory: Path) -> Path:
    """The content of ``path`` in a file in ``directory``. Raises RecordingError."""
    require("zstandard", path)
    import zstandard

    target = directory / path.name.removesuffix(_PACKED)
    try:
        with path.open("rb") as packed, target.open("wb") as stream:
            shutil.copyfileobj(zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True), stream)
    except zstandard.ZstdError as err:
        raise RecordingError(f"{path}: cannot be decompressed ({err})") from err
    return target


def _unpack_message(data: bytes) -> bytes:
    import zstandard

    unpacked: bytes = zstandard.ZstdDecompressor().decompress(data)
    return unpacked


def require(module: str, path: Path) -> None:
    """Raise RecordingError where ``module`` is not installed."""
    if importlib.util.find_spec(module) is None:
        raise RecordingError(f"{path}: read by the Python module {module}, which is not installed: {_REMEDY}")
