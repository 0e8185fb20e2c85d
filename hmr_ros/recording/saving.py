# SPDX-License-Identifier: Apache-2.0
"""Which files a run writes, by the words of `hmr run --save`."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import Path

from hmr_ros.core.arrays import Ints
from hmr_ros.recording import directory
from hmr_ros.recording.arrays import Arrays
from hmr_ros.recording.entry import Writer
from hmr_ros.recording.json_lines import JsonLines
from hmr_ros.recording.meshes import Meshes
from hmr_ros.recording.overlays import OverlayImages, OverlayVideo

SAVED = ("overlay", "json", "npz", "glb", "obj", "mcap")
"""What may be written; mcap of a recording alone."""

_MESH_EVERY = 10
"""Of a sequence; each photo has its meshes."""


@dataclass(frozen=True, eq=False)
class Images:
    """Whether images belong together: their rate, Hz, for a video; None: photos. ``faces`` (F, 3) of every body."""

    rate_hz: float | None
    faces: Ints


def writers_of(
    saved: Set[str], out: Path, images: Images, mesh_every: int | None = None, *, appends: bool = False
) -> Iterator[Writer]:
    """The writers of the files that ``saved`` names, in the directory ``out``.

    ``mesh_every``: of which images meshes are saved, None: the default. ``appends``: the lines of an earlier run stay.
    """
    if "json" in saved:
        yield JsonLines(out / directory.JSON_LINES, appends=appends)
    if "npz" in saved:
        yield Arrays(out / directory.ARRAYS)
    if "overlay" in saved:
        if images.rate_hz is None:
            yield OverlayImages(out / directory.OVERLAYS, images.faces)
        else:
            yield OverlayVideo(out / directory.VIDEO, images.rate_hz, images.faces)
    every = mesh_every or (1 if images.rate_hz is None else _MESH_EVERY)
    if "glb" in saved:
        yield Meshes(out / directory.MESHES, "glb", images.faces, every)
    if "obj" in saved:
        yield Meshes(out / directory.MESHES, "obj", images.faces, every)
