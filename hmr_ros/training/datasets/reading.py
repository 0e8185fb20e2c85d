# SPDX-License-Identifier: Apache-2.0
"""What the readers of data sets share: errors that name the file and what is wrong with it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hmr_ros.core.arrays import Float32s
from hmr_ros.core.body.body_model import BETAS

JsonObject = dict[str, Any]

_OF_OTHER_LAYOUTS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError)
"""What code raises on values that it does not expect."""


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name the annotations at ``path`` in a ValueError of the block that names neither them nor a file beside them."""
    try:
        yield
    except ValueError as err:
        if str(path) in str(err) or str(path.parent) + "/" in str(err):
            raise
        raise ValueError(f"{path}: {err}; see docs/datasets.md") from err


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what the block raises on a file of another layout into a ValueError that names ``path``.

    Values that are no numbers pass in silence: ``training/datasets/possible.py`` looks at them.
    """
    with naming(path):
        try:
            with np.errstate(all="ignore"):
                yield
        except json.JSONDecodeError as err:
            raise ValueError(f"{path}: not a JSON file: {err}") from err
        except UnicodeDecodeError as err:
            raise ValueError(f"{path}: not text in UTF-8: {err}") from err
        except KeyError as err:
            raise ValueError(f"{path}: not in the expected layout: it lacks {err}; see docs/datasets.md") from err
        except _OF_OTHER_LAYOUTS as err:
            raise ValueError(f"{path}: not in the expected layout: {err}; see docs/datasets.md") from err


def read_object(path: Path) -> JsonObject:
    """The JSON object in ``path``. ValueError names the file where it holds something else."""
    content = _content(path)
    if not isinstance(content, dict):
        raise ValueError(f"{path}: not in the expected layout: a JSON {_kind(content)}, no object; docs/datasets.md")
    return content


def read_objects(path: Path) -> list[JsonObject]:
    """The list of JSON objects in ``path``. ValueError names the file where it holds something else."""
    content = _content(path)
    if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
        kinds = ", ".join(sorted({_kind(entry) for entry in content})) if isinstance(content, list) else ""
        of = f" of {kinds}" if kinds else ""
        raise ValueError(
            f"{path}: not in the expected layout: a JSON {_kind(content)}{of}, no list of objects; docs/datasets.md"
        )
    return content


def column(records: Sequence[Mapping[str, Any]], key: str, *shape: int) -> Float32s:
    """(N, *shape) the numbers called ``key`` of ``records``; what is null is NaN.

    ValueError, and KeyError where one lacks it, name the key and the first record that has something else.
    """
    try:
        return np.array([record[key] for record in records], np.float32).reshape(len(records), *shape)
    except (ArithmeticError, TypeError, ValueError):
        for number, record in enumerate(records):
            try:
                np.array(record[key], np.float32).reshape(shape)
            except (ArithmeticError, TypeError, ValueError) as err:
                wanted = " x ".join(map(str, shape)) or "one"
                raise ValueError(f"entry {number}: {key}: expected {wanted} numbers ({err})") from err
        # Each will do alone, and all together will not: some are nested and some are flat
        return np.stack([np.array(record[key], np.float32).reshape(shape) for record in records])


def whole(record: Mapping[str, Any], key: str) -> int:
    """The whole number called ``key``, also where it is written as text; ValueError for true, 1.5 and the like."""
    value = record[key]
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{key}: expected a whole number, got {value!r}")
    return value


def shapes(records: Sequence[Mapping[str, Any]], key: str) -> Float32s:
    """(N, 10) the first coefficients of SMPL's shapes called ``key``; errors as in ``column``."""
    return column([{key: np.ravel(record[key])[:BETAS]} for record in records], key, BETAS)


def _content(path: Path) -> object:
    """What the JSON file ``path`` holds, with or without a byte-order mark."""
    with reading(path):
        content: object = json.loads(path.read_text(encoding="utf-8-sig"))
        return content


def _kind(content: object) -> str:
    kinds = {dict: "object", list: "list", str: "string", bool: "boolean", type(None): "null"}
    return kinds.get(type(content), "number")
