# SPDX-License-Identifier: Apache-2.0
"""Models of a network in other arithmetic, which lie beside it: ``<name>_fp16`` for GPUs, ``<name>_int8`` for CPUs."""

from __future__ import annotations

import logging
from pathlib import Path

from hmr_ros.core.manifest import ManifestError, load_manifest

FP16_SUFFIX = "_fp16"
"""``<name>_fp16.json`` beside ``<name>.json``: the same network with half arithmetic, made by `hmr fp16`."""

INT8_SUFFIX = "_int8"
"""The same in whole numbers of a byte, made by `hmr int8`."""

_log = logging.getLogger(__name__)


def is_variant(manifest_path: Path) -> bool:
    """Whether ``manifest_path`` is a network's fp16 or int8 model, rather than the network itself."""
    return manifest_path.stem.endswith((FP16_SUFFIX, INT8_SUFFIX))


def fp16_of(manifest_path: Path) -> Path | None:
    """The manifest of the network's fp16 model, if there is one that was made from this very network."""
    return _variant(manifest_path, FP16_SUFFIX)


def int8_of(manifest_path: Path) -> Path | None:
    """The manifest of the network's int8 model, if there is one that was made from this very network."""
    return _variant(manifest_path, INT8_SUFFIX)


def _variant(manifest_path: Path, suffix: str) -> Path | None:
    path = manifest_path.with_stem(manifest_path.stem + suffix)
    if not path.is_file():
        return None
    try:
        made_from = load_manifest(path).provenance.get("source_sha256")
    except ManifestError as err:
        _log.warning("runs in fp32: %s", err)
        return None
    if made_from != load_manifest(manifest_path).sha256:
        command = f"hmr {suffix.lstrip('_')}"
        _log.warning("%s was made from another network: it runs in fp32 until %s is run again", path, command)
        return None
    return path
