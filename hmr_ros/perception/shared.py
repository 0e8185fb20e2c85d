# SPDX-License-Identifier: Apache-2.0
"""What the pipelines of one process have in common: networks, body models, and the ids of people."""

from __future__ import annotations

import dataclasses
import itertools
import secrets
import threading
from pathlib import Path

from hmr_ros.core.body.body_model import BodyModel, load_body_model
from hmr_ros.core.config import EngineSettings
from hmr_ros.engines.runtime import Engine, EngineOptions
from hmr_ros.engines.sharing import EnginePool
from hmr_ros.engines.switching import open_serving

_FIRST_IDS = 2**31
"""Ids begin at a random number below this."""


class SharedParts:
    """Loads networks and body models once for all cameras of a process. Thread-safe.

    ``ids`` numbers people, so that no two cameras give the same id. It begins at a random number: a subscriber that
    knows an id from before a node was restarted, or configured again, must not take a new person for the old one.
    """

    def __init__(self) -> None:
        self.ids = itertools.count(secrets.randbelow(_FIRST_IDS))
        self._engines = EnginePool()
        self._lock = threading.Lock()
        self._body_models: dict[Path, BodyModel] = {}

    def network(
        self, manifest_path: Path, settings: EngineSettings, *, adapt_threads: bool = False, background: bool = False
    ) -> Engine:
        """The network beside a manifest, run as ``settings`` ask. Raises ManifestError or EngineError.

        ``adapt_threads`` and ``background`` as in EngineOptions.
        """
        options = dataclasses.replace(EngineOptions.of(settings), adapt_threads=adapt_threads, background=background)
        serve = settings.serve_while_building
        key = (manifest_path, options, serve)
        return self._engines.open(key, lambda: open_serving(manifest_path, options, serve_while_building=serve))

    def body_model(self, path: Path) -> BodyModel:
        """The body model of a file; it stays loaded. Raises ValueError or OSError."""
        with self._lock:
            if path not in self._body_models:
                self._body_models[path] = load_body_model(path)
            return self._body_models[path]
