# SPDX-License-Identifier: Apache-2.0
"""The reports that commands write as JSON: what was measured, below how it was made. One shape for all of them."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import math
import platform
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from hmr_ros import __version__
from hmr_ros.core.manifest import atomic_path, file_sha256

PACKAGES = ("numpy", "onnxruntime", "torch", "rclpy")
"""Libraries that figures depend on."""

_DIGITS = 6
"""Significant digits that are kept of a figure."""


def write_report(path: Path | None, given: Mapping[str, object], content: Mapping[str, object]) -> None:
    """Write ``report_text`` to ``path``, and make its directory; nowhere without a ``path``."""
    if path is None:
        return
    text = report_text({name: value for name, value in given.items() if value != path}, content)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def report_text(given: Mapping[str, object], content: Mapping[str, object]) -> str:
    """A report as JSON: ``command``, ``date`` (UTC), ``versions`` and the digests of ``files``, then ``content``.

    ``given``: the command's arguments by name, with its ``command_line``; those that are files are ``files``.
    ``content`` may hold dataclasses. Floats have six significant digits, null stands for NaN and infinity, which JSON
    does not have, and every row of a table is one line, so that two reports can be compared line by line.
    """
    header = {
        "command": given["command_line"],
        "date": datetime.now(UTC).date().isoformat(),
        "versions": versions(),
        "files": {str(path): file_sha256(path) for path in _files(given.values())},
    }
    return _lines(_plain({**header, **content})) + "\n"


def versions() -> dict[str, str]:
    """Of this package, of Python and of ``PACKAGES``; "absent" of what is not installed."""
    found = {"hmr_ros": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "absent"
    return found


def _files(values: Iterable[object]) -> list[Path]:
    """The files among ``values`` and in lists of them."""
    each = [part for value in values for part in (value if isinstance(value, list) else [value])]
    return [value for value in each if isinstance(value, Path) and value.is_file()]


def _lines(value: object) -> str:
    """``value`` as JSON: the parts of an object that has parts itself on lines of their own, and the rows of a list."""
    match value:
        case dict() if any(isinstance(part, dict | list) for part in value.values()):
            return "{\n" + ",\n".join(f"{json.dumps(key)}: {_lines(part)}" for key, part in value.items()) + "\n}"
        case list() if any(isinstance(part, dict | list | str) for part in value):
            return "[\n " + ",\n ".join(map(json.dumps, value)) + "\n]"
        case _:
            return json.dumps(value)


def _plain(value: object) -> object:
    """``value`` of what JSON has."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    match value:
        case float():
            return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
        case list() | tuple():
            return [_plain(part) for part in value]
        case dict():
            return {key: _plain(part) for key, part in value.items()}
        case _:
            return value
