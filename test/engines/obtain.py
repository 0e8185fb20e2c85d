# SPDX-License-Identifier: Apache-2.0
"""Obtain an engine in a process of its own: `python -m test.engines.obtain DIRECTORY BUILD LARGEST_FILE USER`."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

from hmr_ros.engines.cache.cache import Builder, EngineCache
from hmr_ros.engines.runtime import EngineError
from test.engines import fake_builder


def main(directory: str, build: str, largest_file: str, user: str) -> None:
    limit = int(largest_file) or resource.RLIM_INFINITY
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    if int(user) != os.geteuid():
        os.setuid(int(user))
    cache = EngineCache(Path(directory) / "engines", Builder(getattr(fake_builder, build), fake_builder.probe))
    try:
        print(len(cache.obtain(fake_builder.request(Path(directory)), lambda *step: None)))
    except EngineError as err:
        print("EngineError:", err)


if __name__ == "__main__":
    main(*sys.argv[1:])
