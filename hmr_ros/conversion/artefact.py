# SPDX-License-Identifier: Apache-2.0
"""A converted network as its two files: <name>.onnx and the manifest <name>.json."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

from hmr_ros.core.manifest import Manifest, atomic_path, write_manifest


def write_network(model: bytes, manifest: Manifest, out: Path) -> Manifest:
    """Write ``model`` and ``manifest``, whose sha256 is filled in, to the directory ``out``; returns the manifest."""
    with atomic_path(out / manifest.file) as temporary:
        temporary.write_bytes(model)
    whole = dataclasses.replace(manifest, sha256=hashlib.sha256(model).hexdigest())
    write_manifest(whole, out / f"{manifest.name}.json")
    return whole
