# SPDX-License-Identifier: Apache-2.0
"""One image with the bodies in it, as writers get it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hmr_ros.core.arrays import Image
from hmr_ros.core.people import Bodies, Camera, State
from hmr_ros.perception.hands import Hands


@dataclass(frozen=True, eq=False)
class Entry:
    """An ``image`` (H, W, 3) uint8 RGB, the ``camera`` that took it, and the ``bodies`` in it.

    ``name`` is the image's file, the video's, or the topic; ``index`` counts the images of the source from 0;
    ``stamp_s`` is the time in the video or recording, s, None of a photo; ``stem`` begins the names of files about this
    image alone; ``lost`` are the ids of tracks that ended with it; ``header_ns`` is the stamp of a message, ns, None of
    other sources; ``hands`` of the people, None where they were not looked for.
    """

    name: str
    index: int
    stem: str
    stamp_s: float | None
    image: Image
    camera: Camera
    bodies: Bodies
    lost: tuple[int, ...] = ()
    header_ns: int | None = None
    hands: Hands | None = None

    def trusted(self) -> Bodies:
        """The bodies without those that may be none (TENTATIVE)."""
        return self.bodies.take(self.bodies.states != State.TENTATIVE)


class Writer(Protocol):
    """Keeps entries in files. Each of them is complete or absent, whenever the process ends."""

    def write(self, entry: Entry) -> None:
        """Take over the next image."""

    def close(self) -> None:
        """Complete what is not written yet."""


def unique_stems(paths: Sequence[Path]) -> tuple[str, ...]:
    """A name for each of ``paths``, files of one directory: without suffix where they differ without it."""
    stems = [path.stem.lower() for path in paths]
    return tuple(path.stem if stems.count(stem) == 1 else path.name for path, stem in zip(paths, stems, strict=True))
