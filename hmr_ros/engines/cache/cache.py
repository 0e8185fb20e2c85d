# SPDX-License-Identifier: Apache-2.0
"""Engines built once per machine, and never an engine that we did not build.

A TensorRT engine is an executable: whoever can write one runs code on the GPU and in the process that loads it. So the
directory is private (private_directory.py), every engine has a record with its digest, sealed under a secret of this
cache (cache_entry.py), and its first load happens in a child process (child.py). Whatever does not fit is built again.

``<key>.engine`` is written first and ``<key>.json``, its record, only after the engine has run: there is no moment at
which a killed process leaves something that would be loaded.
"""

from __future__ import annotations

import dataclasses
import hmac
import logging
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hmr_ros.core.config import BUILD_TIMEOUT_S
from hmr_ros.engines.cache.child import Build, Probe, build_in_child, probe_in_child
from hmr_ros.engines.cache.entry import (
    Entry,
    EntryError,
    cache_key,
    check_engine,
    describe_engine,
    read_entry,
    write_entry,
)
from hmr_ros.engines.cache.file_lock import file_lock
from hmr_ros.engines.cache.private_directory import PrivateDirectory, UnsafeFileError
from hmr_ros.engines.runtime import EngineError
from hmr_ros.engines.tensorrt.build_request import ANY_GPU, NO_DRIVER, BuildRequest, Progress

MAX_ENGINE_BYTES = 2 << 30
_MAX_RECORD_BYTES = 1 << 16
_SECRET, _SECRET_BYTES = "secret.key", 32
_BUILDING = "build.lock"
_SEAL_BYTES = 32
_ENGINE, _RECORD, _LOCK, _KERNELS = ".engine", ".json", ".lock", ".kernels"

_log = logging.getLogger(__name__)


def default_directory() -> Path:
    """$XDG_CACHE_HOME/hmr_ros/engines, or ~/.cache/hmr_ros/engines; links are resolved."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(home) if Path(home).is_absolute() else Path.home() / ".cache"
    return base.resolve() / "hmr_ros" / "engines"


class _InUseError(Exception):
    """Another process holds a lock that is not worth waiting for."""


@dataclass(frozen=True)
class Builder:
    """How an engine is made and tried: functions of modules, as a child process imports them.

    Building ends with an error after ``timeout_s``, and at once where it is not ``allowed``.
    """

    build: Build
    probe: Probe
    timeout_s: float = BUILD_TIMEOUT_S
    allowed: bool = True


@dataclass(frozen=True)
class Stored:
    """What lies in a cache under one key: its ``entry``, or the ``problem`` that keeps it from being loaded."""

    key: str
    engine_bytes: int
    entry: Entry | None
    problem: str = ""


class EngineCache:
    """A directory of engines. Any number of processes may use it at once."""

    def __init__(self, directory: Path, builder: Builder) -> None:
        """Nothing is touched yet."""
        self._directory = PrivateDirectory(directory)
        self._builder = builder

    @property
    def directory(self) -> Path:
        """Where the engines lie."""
        return self._directory.path

    def obtain(self, request: BuildRequest, progress: Progress) -> bytes:
        """The engine for ``request``, which has run on this machine before; built now if need be.

        These are the very bytes that were checked. ``progress`` is called several times a second, also while another
        process builds the same engine; what it raises ends the work. Raises EngineError if the engine cannot be built,
        or the directory not be trusted or written to.
        """
        key = cache_key(request)
        if (engine := self.find(request)) is not None:
            return engine
        with file_lock(self.directory / (key + _LOCK), lambda: progress("waiting for another process", 0.0)):
            engine = self.find(request)  # the other process may have built it
            return engine or self._adopt(request, progress) or self._build(request, progress)

    def find(self, request: BuildRequest) -> bytes | None:
        """The engine for ``request`` if it is stored and good. Raises EngineError for a directory that is not safe."""
        return self._load(cache_key(request))

    def discard(self, request: BuildRequest) -> bool:
        """Forget the engine for ``request``; False, and it stays, while another process builds or stores it."""
        return self.remove(cache_key(request))

    def kernels(self, request: BuildRequest) -> bytes:
        """What RTX compiled in an earlier run of the engine for ``request``; empty if nothing good is stored."""
        key = cache_key(request)
        try:
            sealed, secret = self._directory.read(key + _KERNELS, MAX_ENGINE_BYTES), self._secret()
        except (FileNotFoundError, EntryError, UnsafeFileError):
            return b""
        kernels = sealed[_SEAL_BYTES:]
        return kernels if hmac.compare_digest(sealed, _sealed(kernels, key, secret)) else b""

    def store_kernels(self, request: BuildRequest, kernels: bytes) -> None:
        """Keep ``kernels`` for the next run. Raises EngineError."""
        key = cache_key(request)
        self._directory.write(key + _KERNELS, _sealed(kernels, key, self._secret_to_write()))

    def survey(self) -> list[Stored]:
        """Everything that is stored, checked as for loading."""
        return [self._examine(key) for key in self._keys()]

    def remove(self, key: str) -> bool:
        """Delete all that is stored under ``key``; False, and nothing is, while a process builds or stores it."""
        try:
            with file_lock(self.directory / (key + _LOCK), _give_up):
                for name in self._directory.names():
                    if name.partition(".")[0] == key:
                        self._directory.remove(name)
        except _InUseError:
            return False
        return True

    def _load(self, key: str) -> bytes | None:
        try:
            entry, engine = self._read(key)
        except FileNotFoundError:
            return None
        except (EntryError, UnsafeFileError) as err:
            _log.warning("%s: not loaded, but built again: %s", self.directory / key, err)
            return None
        _log.debug("%s: %s", key, entry)
        return engine

    def _read(self, key: str) -> tuple[Entry, bytes]:
        """What is stored under ``key``. Raises FileNotFoundError, EntryError or UnsafeFileError if it is not good."""
        record = self._directory.read(key + _RECORD, _MAX_RECORD_BYTES)
        entry = read_entry(record, self._secret())
        if entry.key != key:
            raise EntryError(f"the record is that of {entry.key}")
        engine = self._directory.read(key + _ENGINE, MAX_ENGINE_BYTES)
        check_engine(entry, engine)
        return entry, engine

    def _adopt(self, request: BuildRequest, progress: Progress) -> bytes | None:
        """An engine that was built for this kind of GPU on another machine, if one lies here and runs."""
        for key in self._keys():
            try:
                entry, engine = self._read(key)
            except (FileNotFoundError, EntryError, UnsafeFileError):
                continue
            if _serves(entry.request, request):
                try:
                    self._store(request, engine, progress)
                except EngineError as err:
                    _log.warning("%s: built elsewhere, does not run here: %s", self.directory / key, err)
                else:
                    return engine
        return None

    def _build(self, request: BuildRequest, progress: Progress) -> bytes:
        if not self._builder.allowed:
            raise EngineError(
                f"{request.onnx_path}: no engine for {request.target.gpu_name} in {self.directory}, and building one "
                "is not allowed (allow_engine_build): run `hmr engines build` on this machine first"
            )
        # One at a time: a builder times kernels to choose among them.
        with file_lock(self.directory / _BUILDING, lambda: progress("waiting for another build", 0.0)):
            engine = build_in_child(self._builder.build, request, progress, self._builder.timeout_s)
        self._store(request, engine, progress)
        return engine

    def _store(self, request: BuildRequest, engine: bytes, progress: Progress) -> None:
        key, secret = cache_key(request), self._secret_to_write()
        self._directory.remove(key + _RECORD)  # from here to the end there is no valid entry
        self._directory.write(key + _ENGINE, engine)
        try:
            if request.target.gpu_name != ANY_GPU:  # an engine for another machine is tried there, when it is adopted
                probe_in_child(self._builder.probe, self.directory / (key + _ENGINE), request, progress)
            self._directory.write(key + _RECORD, write_entry(describe_engine(request, engine, time.time()), secret))
        except BaseException:
            self._directory.remove(key + _ENGINE)
            raise

    def _secret(self) -> bytes:
        secret = self._directory.read(_SECRET, _SECRET_BYTES)
        if len(secret) != _SECRET_BYTES:
            raise EntryError(f"{_SECRET} has {len(secret)} bytes, expected {_SECRET_BYTES}")
        return secret

    def _secret_to_write(self) -> bytes:
        """The secret, made again if there is no good one: then nothing that was sealed before is loaded any more."""
        with file_lock(self.directory / (_SECRET + _LOCK), lambda: None):
            try:
                return self._secret()
            except (FileNotFoundError, EntryError, UnsafeFileError):
                self._directory.write(_SECRET, secrets.token_bytes(_SECRET_BYTES))
                return self._secret()

    def _keys(self) -> Iterator[str]:
        """The keys under which there is an engine, a record, or what a killed process left of them."""
        names = [name.partition(".") for name in self._directory.names()]
        return iter(sorted({key for key, dot, suffix in names if (dot + suffix).startswith((_ENGINE, _RECORD))}))

    def _examine(self, key: str) -> Stored:
        try:
            entry, engine = self._read(key)
        except FileNotFoundError as err:
            return Stored(key, 0, None, f"{err.filename} is missing")
        except (EntryError, UnsafeFileError) as err:
            return Stored(key, 0, None, str(err))
        return Stored(key, len(engine), entry)


def _give_up() -> None:
    raise _InUseError


def _sealed(kernels: bytes, key: str, secret: bytes) -> bytes:
    """A seal that only this cache can make, and ``kernels``, which belong to the engine ``key``."""
    return hmac.digest(secret, key.encode() + kernels, "sha256") + kernels


def _serves(stored: BuildRequest, wanted: BuildRequest) -> bool:
    """Whether ``stored`` was built off the device for GPUs like that of ``wanted``, and is the same in all else."""
    target = dataclasses.replace(
        wanted.target, gpu_name=ANY_GPU, driver=NO_DRIVER, compute_capability=stored.target.compute_capability
    )
    return (
        wanted.target.compute_capability in stored.target.compute_capabilities
        and dataclasses.replace(wanted, onnx_path=stored.onnx_path, target=target) == stored
    )
