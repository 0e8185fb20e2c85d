# SPDX-License-Identifier: Apache-2.0
"""Check that every source file names its licence: ``python -m hmr_ros.tools.spdx``; ``--write`` adds missing lines."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

LINE = "# SPDX-License-Identifier: Apache-2.0"

ROOT = Path(__file__).parents[2]

DIRECTORIES = ("hmr_ros", "launch", "test", "typings")
NAMES = ("*.py", "*.pyi", "*.cmake", "CMakeLists.txt")
SINGLE_FILES = ("setup.py", "CMakeLists.txt", "Makefile", "docker/Dockerfile", ".ci/run")


def sources(root: Path) -> Iterator[Path]:
    """Our source files under ``root``; all of them write comments with a hash sign."""
    yield from (root / name for name in SINGLE_FILES)
    for directory in DIRECTORIES:
        for name in NAMES:
            yield from sorted((root / directory).rglob(name))


def has_licence(text: str) -> bool:
    """Whether the line is the first, or the second behind a shebang."""
    lines = text.splitlines()[:2]
    return LINE in (lines[1:] if text.startswith("#!") else lines[:1])


def with_licence(text: str) -> str:
    """``text`` with the line added where it belongs."""
    if not text.startswith("#!"):
        return f"{LINE}\n{text}"
    shebang, _, rest = text.partition("\n")
    return f"{shebang}\n{LINE}\n{rest}"


def main(arguments: list[str] | None = None) -> int:
    """Name every file without the line, or add it; exit status 1 when some lack it still."""
    parser = argparse.ArgumentParser("python -m hmr_ros.tools.spdx", description=__doc__)
    parser.add_argument("--write", action="store_true", help="add the line where it is missing")
    write = parser.parse_args(arguments).write
    bare = [path for path in sources(ROOT) if not has_licence(path.read_text(encoding="utf-8"))]
    for path in bare:
        if write:
            path.write_text(with_licence(path.read_text(encoding="utf-8")), encoding="utf-8")
        else:
            print(f"{path.relative_to(ROOT)}: begin with {LINE!r}, or run with --write", file=sys.stderr)
    return int(bool(bare) and not write)


if __name__ == "__main__":
    sys.exit(main())
