# SPDX-License-Identifier: Apache-2.0
"""The directory of results: STEM-ADDRESS for each, whole or absent.

A result is made in .partial and moved to its place by one rename, with run.json in it. What a look at an input showed
is kept with its digest, so that a second call does not read a terabyte to find that all is done.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from hmr_ros.running.many.address import LENGTH
from hmr_ros.running.many.outcome import Outcome, from_json

RUN = "run.json"
CHUNKS = ".chunks"
"""Results of chunks, until they are put together."""

_PARTIAL, _LOCK, _INPUTS = ".partial", ".lock", ".inputs.jsonl"
_NAME = re.compile(rf".*-([0-9a-f]{{{LENGTH}}})")
_STEM_LENGTH = 80


class Store:
    """The results in the directory ``path``; what is given to it is on disk when it returns."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def result(self, address: str) -> str:
        """The name of the directory of a result, "" where there is none."""
        return next((path.name for path in sorted(self.path.glob(f"*-{address}")) if (path / RUN).is_file()), "")

    def results(self) -> dict[str, str]:
        """Address -> name, of all results."""
        names = (_NAME.fullmatch(path.name) for path in sorted(self.path.iterdir()) if (path / RUN).is_file())
        return {name[1]: name[0] for name in names if name}

    def outcome(self, name: str) -> Outcome:
        """What is known of the result ``name``. Raises ValueError for a damaged run.json, with the remedy."""
        try:
            return from_json(json.loads((self.path / name / RUN).read_text(encoding="utf-8")), name)
        except (OSError, ValueError, KeyError, TypeError) as err:
            raise ValueError(f"{self.path / name / RUN}: not readable ({err}); remove {name} to make it again") from err

    @contextlib.contextmanager
    def making(self, number: int) -> Iterator[Path]:
        """An empty directory for the files of a job; it vanishes afterwards unless ``keep`` has moved it."""
        partial = self.path / _PARTIAL / f"{number}-{os.uname().nodename}-{os.getpid()}"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            yield partial
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def keep(self, partial: Path, address: str, outcome: Outcome, source: Path) -> None:
        """Make the files in ``partial`` the result ``outcome.result``, unless another process was quicker."""
        about = {"input": str(source), "address": address, **asdict(outcome), "status": outcome.status.value}
        (partial / RUN).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        try:
            partial.rename(self.path / outcome.result)
        except OSError:
            if not (self.path / outcome.result / RUN).is_file():
                raise

    def known_contents(self) -> dict[str, str]:
        """What a look showed -> digest of the content; lines that were cut off are left out."""
        file = self.path / _INPUTS
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines() if file.is_file() else []
        pairs = (line.split(" ") for line in lines)
        return {pair[0]: pair[1] for pair in pairs if len(pair) == 2 and len(pair[1]) == 64}

    def note_content(self, look: str, content: str) -> None:
        """Keep the digest of an input for the next call."""
        with (self.path / _INPUTS).open("a", encoding="utf-8") as stream:
            stream.write(f"{look} {content}\n")


def result_name(source: Path, address: str) -> str:
    """The name of a result: that of its input, then its address."""
    stem = re.sub(r"[^\w.+-]", "_", source.stem)[:_STEM_LENGTH].lstrip(".") or "input"
    return f"{stem}-{address}"


@contextlib.contextmanager
def open_store(path: Path) -> Iterator[Store]:
    """The store in ``path``, made where it is missing, for this process alone; what killed ones left is removed.

    Raises FileExistsError while another process writes there.
    """
    path.mkdir(parents=True, exist_ok=True)
    with (path / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FileExistsError(
                f"{path}: another run is writing there; wait for it, or choose another --out"
            ) from None
        _clean(path)
        try:
            yield Store(path)
        finally:
            _clean(path)


def _clean(path: Path) -> None:
    """Remove what was not finished."""
    for directory in (path, path / CHUNKS):
        shutil.rmtree(directory / _PARTIAL, ignore_errors=True)
