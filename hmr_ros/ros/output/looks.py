# SPDX-License-Identifier: Apache-2.0
"""How the people of each camera look, handed from its node to the one that fuses them, in one process.

No message has it: colours of clothes are in this process's memory alone, and of the last images alone.
"""

from __future__ import annotations

import threading
from collections import deque

from hmr_ros.core.arrays import Ints
from hmr_ros.perception.appearance import Look
from hmr_ros.ros.wire.cdr import Stamp
from hmr_ros.ros.wire.messages import kept_id, person_name

_IMAGES = 20
"""Of a camera, which wait for its ``bodies`` to come and for TF."""


class SharedLooks:
    """The looks of all cameras. Cameras' threads put, the executor's takes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._images: dict[str, deque[tuple[int, dict[int, Look]]]] = {}

    def of_camera(self, camera: str) -> CameraLooks:
        """Where the node of ``camera`` puts what it sees."""
        return CameraLooks(self, camera)

    def put(self, camera: str, stamp: Stamp, ids: Ints, looks: Look) -> None:
        """The ``looks`` of the people ``ids`` (P,) in the image at ``stamp``, before its ``bodies`` are published."""
        by_name = {kept_id(person_name(int(track))): looks.take(slice(k, k + 1)) for k, track in enumerate(ids)}
        with self._lock:
            self._images.setdefault(camera, deque(maxlen=_IMAGES)).append((stamp.nanoseconds, by_name))

    def of(self, camera: str, stamp: Stamp, ids: Ints) -> Look:
        """Those of ``ids`` (P,), as the names in ``bodies`` mean them; unknown where none were put."""
        with self._lock:
            known = dict(self._images.get(camera, ())).get(stamp.nanoseconds, {})
        return Look.of_ids(known, ids)


class CameraLooks:
    """Where the node of one camera puts how its people look."""

    def __init__(self, shared: SharedLooks, camera: str) -> None:
        self._shared, self._camera = shared, camera

    def put(self, stamp: Stamp, ids: Ints, looks: Look) -> None:
        """As of SharedLooks."""
        self._shared.put(self._camera, stamp, ids, looks)
