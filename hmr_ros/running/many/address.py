# SPDX-License-Identifier: Apache-2.0
"""The address of a result: a digest of all that it depends on."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

from hmr_ros import __version__
from hmr_ros.core.manifest import file_sha256
from hmr_ros.core.settings import Value
from hmr_ros.perception.assemble import files_opened
from hmr_ros.ros.bag.options import config_of
from hmr_ros.running.many.chunks import Chunking
from hmr_ros.running.many.inputs import Input
from hmr_ros.running.request import Request

FORMAT = 1
"""Raised when the same input, networks and settings give other files."""

LENGTH = 16
"""Hex digits of an address."""

_OF_THE_MACHINE = ("num_threads", "device_id", "model_path", "smpl_path")
"""Settings that do not enter by value: threads change nothing that matters, and of a network the content counts."""


def content_sha256(given: Input) -> str:
    """Digest of the bytes of ``given`` and the names of its files, not of the directories they are in."""
    digest = hashlib.sha256()
    for path in given.files:
        digest.update(f"{path.name}\0{file_sha256(path)}\n".encode())
    return digest.hexdigest()


def look(given: Input) -> str:
    """Digest of what a look at the directory shows: while it stays, so does the content. Raises OSError."""
    digest = hashlib.sha256()
    for path in given.files:
        status = path.stat()
        digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def work_sha256(request: Request, chunking: Chunking | None = None) -> str:
    """Digest of the networks and settings of ``request``, and of the files it names; the source is left out."""
    config = config_of(dict(request.settings), request.recording.parameters)
    networks = {path.name: file_sha256(path) for path in files_opened(config)}
    described = {"format": FORMAT, "version": __version__, "networks": networks, **_described(request)}
    if chunking is not None:
        described["chunking"] = dataclasses.asdict(chunking)
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


def address(content: str, work: str) -> str:
    """The address of the result of the input and the work with these digests."""
    return hashlib.sha256(f"{content} {work}".encode()).hexdigest()[:LENGTH]


def _described(request: Request) -> dict[str, object]:
    """``request`` as JSON, with digests in place of files."""
    settings: dict[str, Value] = {key: value for key, value in request.settings.items() if key not in _OF_THE_MACHINE}
    return {
        "settings": settings,
        "excerpt": dataclasses.asdict(request.excerpt),
        "saved": sorted(request.saved),
        "mesh": [request.mesh, request.mesh_every],
        "camera": [_file(request.camera_info), request.fov],
        "recording": dataclasses.asdict(request.recording),
    }


def _file(path: Path | None) -> str | None:
    return None if path is None else file_sha256(path)
