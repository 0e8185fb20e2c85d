# SPDX-License-Identifier: Apache-2.0
"""A directory that only this user and root can have written to, and its files.

The files are engines, which a GPU driver executes. So the directory and each file are checked every time, through open
descriptors: what was checked is what is read, even if a path is exchanged meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from hmr_ros.engines.runtime import EngineError

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_ROOT = 0


class UnsafeFileError(EngineError):
    """A file that another user may have written; it is not read."""


class PrivateDirectory:
    """Mode 0700, ours, and every directory above it ours or root's. Made on first use."""

    def __init__(self, path: Path) -> None:
        """Nothing is touched yet. Raises ValueError unless ``path`` is absolute."""
        if not path.is_absolute():
            raise ValueError(f"expected an absolute path, got {path}")
        self.path = path

    def read(self, name: str, limit: int) -> bytes:
        """Content of a file of at most ``limit`` bytes.

        Raises FileNotFoundError, UnsafeFileError for a file that is not plain, ours alone and within the limit, and
        EngineError for a directory that cannot be used.
        """
        with self._opened() as directory, _descriptor(_open_to_read(name, directory, self.path)) as handle:
            size = _checked_size(os.fstat(handle), self.path / name, limit)
            with open(handle, "rb", closefd=False) as stream:
                return stream.read(size)

    def write(self, name: str, data: bytes) -> None:
        """Store a file whole, or not at all. Raises EngineError when disk or directory do not take it."""
        part = f"{name}.part"
        with self._opened() as directory, self._explained(f"cannot write {name}"):
            try:
                _remove(part, directory)  # of a process that was killed here
                handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=directory)
                with open(handle, "wb") as stream:
                    stream.write(data)
                    stream.flush()
                    os.fsync(handle)  # a robot's power is switched off without asking
                os.rename(part, name, src_dir_fd=directory, dst_dir_fd=directory)
            finally:
                with contextlib.suppress(OSError):
                    _remove(part, directory)

    def remove(self, name: str) -> None:
        """Delete a file, if it is there. A link is deleted, not what it leads to."""
        with self._opened() as directory, self._explained(f"cannot delete {name}"):
            _remove(name, directory)

    def names(self) -> list[str]:
        """What lies in the directory."""
        with self._opened() as directory:
            return sorted(os.listdir(directory))

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        with self._explained("cannot be used"):
            self._require_no_links()
            _make(self.path)
            handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with _descriptor(handle):
            self._require_private(os.fstat(handle))
            yield handle

    def _require_no_links(self) -> None:
        if Path(os.path.realpath(self.path)) != Path(os.path.normpath(self.path)):
            raise EngineError(
                f"{self.path}: is or goes through a symbolic link; name the real directory: "
                f"{os.path.realpath(self.path)}"
            )

    def _require_private(self, found: os.stat_result) -> None:
        if found.st_uid != os.geteuid() or found.st_mode & _OTHERS:
            raise EngineError(
                f"{self.path}: expected user {os.geteuid()} and mode 700, got user {found.st_uid} and mode "
                f"{stat.S_IMODE(found.st_mode):o}. Engines are executables: delete it if others could write there"
            )
        for parent in self.path.parents:
            above = parent.stat()
            safe = not above.st_mode & _WRITABLE_BY_OTHERS or above.st_mode & stat.S_ISVTX  # as /tmp is
            if not safe or above.st_uid not in (_ROOT, os.geteuid()):
                raise EngineError(
                    f"{self.path}: others may exchange it, as {parent} belongs to user {above.st_uid} with mode "
                    f"{stat.S_IMODE(above.st_mode):o}; chmod go-w {parent}, or choose another directory for engines"
                )

    @contextlib.contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as err:
            raise EngineError(
                f"{self.path}: {what} ({err.strerror}); free or enable writing there, or choose another directory"
            ) from err


@contextlib.contextmanager
def _descriptor(handle: int) -> Iterator[int]:
    try:
        yield handle
    finally:
        os.close(handle)


def _open_to_read(name: str, directory: int, path: Path) -> int:
    try:
        # O_NONBLOCK: a pipe in place of the file must not block.
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    except FileNotFoundError:
        raise
    except OSError as err:  # ELOOP: a symbolic link
        raise UnsafeFileError(f"{path / name}: {err.strerror}") from err


def _checked_size(found: os.stat_result, path: Path, limit: int) -> int:
    """Size of an open file in bytes. Raises UnsafeFileError unless it is plain, ours alone and within ``limit``."""
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        raise UnsafeFileError(f"{path}: not a plain file, or it has a second name")
    if found.st_uid != os.geteuid() or found.st_mode & _OTHERS:
        mode = stat.S_IMODE(found.st_mode)
        raise UnsafeFileError(
            f"{path}: belongs to user {found.st_uid}, mode {mode:o}: expected user {os.geteuid()}, mode 600"
        )
    if found.st_size > limit:
        raise UnsafeFileError(f"{path}: expected at most {limit} bytes, got {found.st_size}")
    return found.st_size


def _make(path: Path) -> None:
    """Create ``path`` and what is missing above it, all private, whatever the umask."""
    for directory in [*reversed(path.parents), path]:
        if not directory.exists():
            with contextlib.suppress(FileExistsError):  # another process was faster
                directory.mkdir(mode=0o700)


def _remove(name: str, directory: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=directory)
