# SPDX-License-Identifier: Apache-2.0
"""What trials of int8 have shown on this machine, so that each is made once.

A trial chooses between two models that are both checked when they are opened, so its record needs no seal.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from dataclasses import dataclass
from pathlib import Path

from hmr_ros.engines.cache.private_directory import PrivateDirectory
from hmr_ros.engines.onnx.trial import Trial
from hmr_ros.engines.runtime import EngineError

SUBDIRECTORY = "int8"
"""Below the directory of engines."""

_SUFFIX, _MAX_BYTES = ".json", 4096

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tried:
    """A trial of ``network`` with so many ``threads``."""

    network: str
    threads: int
    trial: Trial

    def __str__(self) -> str:
        return f"{self.network}, {self.threads} thread{'s' * (self.threads > 1)}: {self.trial}"


class TrialStore:
    """The trials in a directory of engines. A directory that cannot be used remembers nothing."""

    def __init__(self, engines: Path) -> None:
        """Nothing is touched yet."""
        self._directory = PrivateDirectory(engines / SUBDIRECTORY)

    def find(self, key: str) -> Tried | None:
        """The trial under ``key``; None where there is none, or its record is damaged."""
        try:
            facts = json.loads(self._directory.read(key + _SUFFIX, _MAX_BYTES))
            trial = Trial(float(facts["speedup"]), float(facts["difference"]))
            return Tried(str(facts["network"]), int(facts["threads"]), trial)
        except FileNotFoundError:
            return None
        except (EngineError, ValueError, TypeError, KeyError) as err:
            _log.debug("trial %s is made again: %s", key[:16], err)
            return None

    def store(self, key: str, tried: Tried) -> None:
        """Remember ``tried``."""
        facts = {"network": tried.network, "threads": tried.threads, **dataclasses.asdict(tried.trial)}
        try:
            self._directory.write(key + _SUFFIX, json.dumps(facts).encode())
        except EngineError as err:
            _log.info("%s: the trial of int8 is not remembered: %s", tried.network, err)

    def survey(self) -> list[Tried]:
        """All that are remembered and readable. Raises EngineError for a directory that is not safe."""
        keys = [name.removesuffix(_SUFFIX) for name in self._directory.names() if name.endswith(_SUFFIX)]
        return sorted(filter(None, map(self.find, keys)), key=str)

    def forget(self) -> None:
        """Delete all, so that the next start tries again."""
        for name in self._directory.names():
            self._directory.remove(name)
