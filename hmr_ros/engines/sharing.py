# SPDX-License-Identifier: Apache-2.0
"""One network for many users: the cameras of one process run the same engines, one after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field

from hmr_ros.core.arrays import Array
from hmr_ros.core.manifest import Manifest
from hmr_ros.engines.runtime import Engine


@dataclass(eq=False)
class _Shared:
    """An open engine, the lock under which it runs, and how many use it."""

    engine: Engine
    lock: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0


class EnginePool:
    """Opens each network once for all its users, and closes it with the last one. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[Hashable, _Shared] = {}

    def __len__(self) -> int:
        return len(self._open)

    def open(self, key: Hashable, opener: Callable[[], Engine]) -> Engine:
        """The engine that ``key`` stands for, opened by ``opener`` unless it is open; raises what ``opener`` does.

        Unlike other engines it may be run by several threads, each of which calls ``open``: one runs at a time.
        """
        with self._lock:
            if key not in self._open:
                self._open[key] = _Shared(opener())
            shared = self._open[key]
            shared.users += 1
        return _SharedEngine(shared, lambda: self._leave(key))

    def _leave(self, key: Hashable) -> None:
        with self._lock:
            shared = self._open[key]
            shared.users -= 1
            if shared.users == 0:
                del self._open[key]
                shared.engine.close()


def behind(engine: Engine) -> Engine:
    """The engine that a pool's ``engine`` shares with other users; ``engine`` itself if it is not of a pool."""
    return engine.shared if isinstance(engine, _SharedEngine) else engine


class _SharedEngine:
    """One user's handle of a shared engine."""

    def __init__(self, shared: _Shared, leave: Callable[[], None]) -> None:
        self._shared = shared
        self._leave = leave
        self._closed = False

    @property
    def shared(self) -> Engine:
        """The one engine behind it."""
        return self._shared.engine

    @property
    def manifest(self) -> Manifest:
        """What the network expects and returns."""
        return self._shared.engine.manifest

    @property
    def status(self) -> str:
        """What runs it at this moment."""
        return self._shared.engine.status

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Every output by name, once the others are done. Raises EngineError."""
        with self._shared.lock:
            return self._shared.engine.run(inputs)

    def close(self) -> None:
        """Use it no more; the last to leave frees the network."""
        if not self._closed:
            self._closed = True
            self._leave()
