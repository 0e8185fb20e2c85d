# SPDX-License-Identifier: Apache-2.0
"""The record beside a stored engine: what it was built for, its digest, and a seal that only this cache can make."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hmr_ros.engines.tensorrt.build_request import IMAGE_SIZES, BatchProfile, BuildRequest, EngineTarget

FORMAT = 1
"""Version of record and key; raised when engines of older code must not be used any more."""


class EntryError(ValueError):
    """A record that is damaged, foreign, or of something else than was asked for."""


@dataclass(frozen=True)
class Entry:
    """One engine in a cache: ``engine_sha256`` in lower-case hex, ``created`` in s since 1970."""

    request: BuildRequest
    engine_sha256: str
    engine_bytes: int
    created: float

    @property
    def key(self) -> str:
        """The name of the engine's files without suffix."""
        return cache_key(self.request)


def describe_engine(request: BuildRequest, engine: bytes, created: float) -> Entry:
    """The entry of ``engine``, as built for ``request``."""
    return Entry(request, hashlib.sha256(engine).hexdigest(), len(engine), created)


def cache_key(request: BuildRequest) -> str:
    """64 hex digits over everything that decides whether an engine may be used: all of ``request`` but its path."""
    facts = _as_json(request)
    del facts["onnx_path"]
    sizes = {name: dataclasses.asdict(range_) for name, range_ in IMAGE_SIZES.items()}
    return hashlib.sha256(_canonical({"format": FORMAT, "image_sizes": sizes, **facts})).hexdigest()


def write_entry(entry: Entry, secret: bytes) -> bytes:
    """The record of ``entry``, sealed with HMAC-SHA256 under the cache's ``secret`` (RFC 2104)."""
    facts = {
        "format": FORMAT,
        "key": entry.key,
        "request": _as_json(entry.request),
        "engine_sha256": entry.engine_sha256,
        "engine_bytes": entry.engine_bytes,
        "created": entry.created,
    }
    return json.dumps({**facts, "seal": _seal(facts, secret)}, indent=1).encode()


def read_entry(record: bytes, secret: bytes) -> Entry:
    """The entry of a record that this cache sealed. Raises EntryError for any other bytes."""
    try:
        facts = json.loads(record)
        seal = facts.pop("seal")
        if not hmac.compare_digest(seal, _seal(facts, secret)):
            raise EntryError("not sealed by this cache")
        if facts["format"] != FORMAT:
            raise EntryError(f"format {facts['format']!r}, expected {FORMAT}")
        entry = Entry(
            request=request_from_json(facts["request"]),
            engine_sha256=facts["engine_sha256"],
            engine_bytes=facts["engine_bytes"],
            created=facts["created"],
        )
    except EntryError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as err:
        raise EntryError(f"not a record ({type(err).__name__})") from err
    if entry.key != facts["key"]:
        raise EntryError("of another version of this package")
    return entry


def check_engine(entry: Entry, engine: bytes) -> None:
    """Raise EntryError unless ``engine`` is what the entry was written for."""
    if len(engine) != entry.engine_bytes or hashlib.sha256(engine).hexdigest() != entry.engine_sha256:
        raise EntryError(f"the engine's {len(engine)} bytes are not the {entry.engine_bytes} that were stored")


def request_to_json(request: BuildRequest) -> str:
    """``request`` as text, for records and for the process that builds."""
    return json.dumps(_as_json(request))


def request_from_json(facts: Mapping[str, Any]) -> BuildRequest:
    """The request of a decoded JSON object. Raises ValueError, TypeError or KeyError for anything else."""
    rest = dict(facts)
    path, target, profile = Path(rest.pop("onnx_path")), rest.pop("target"), rest.pop("profile")
    return BuildRequest(onnx_path=path, target=EngineTarget(**target), profile=BatchProfile(**profile), **rest)


def _as_json(request: BuildRequest) -> dict[str, Any]:
    return {**dataclasses.asdict(request), "onnx_path": str(request.onnx_path)}


def _seal(facts: Mapping[str, Any], secret: bytes) -> str:
    return hmac.new(secret, _canonical(facts), hashlib.sha256).hexdigest()


def _canonical(facts: Mapping[str, Any]) -> bytes:
    """One text for equal facts, whatever the order and spacing they were read in."""
    return json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()
