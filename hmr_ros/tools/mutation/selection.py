# SPDX-License-Identifier: Apache-2.0
"""Which test files are most likely to notice a change in a module: its mirror first, then by distance of import."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path


class Selection:
    """The import graph of a tree: its package ``hmr_ros`` and its ``test``."""

    def __init__(self, root: Path) -> None:
        files = {p.relative_to(root).as_posix(): p for top in ("hmr_ros", "test") for p in (root / top).rglob("*.py")}
        modules = {_module(name): name for name in files}
        self._importers: dict[str, set[str]] = {name: set() for name in files}
        for name, file in files.items():
            for imported in (*_imported(file), *_conftests(name)):
                if imported in modules and modules[imported] != name:
                    self._importers[modules[imported]].add(name)

    def stages(self, path: str, most: int) -> list[list[str]]:
        """Groups of test files for the source file ``path``, nearest first, ``most`` files in all.

        The first group is the mirrored test alone, where there is one; then those that import the module, then those
        that import what imports it, as far as there is a way.
        """
        mirror = _mirror(path)
        groups = [[mirror]] if mirror in self._importers else []
        left = most - len(groups)
        for group in self._by_distance(path):
            chosen = sorted((f for f in group if f != mirror), key=lambda f: (-_common(f, path), f))[:left]
            groups += [chosen] if chosen else []
            left -= len(chosen)
        return groups

    def _by_distance(self, path: str) -> Iterator[list[str]]:
        seen, border = {path}, [path]
        while border:
            border = list(dict.fromkeys(i for f in border for i in sorted(self._importers[f]) if i not in seen))
            seen.update(border)
            yield [f for f in border if Path(f).name.startswith("test_")]


def _mirror(path: str) -> str:
    """The test file that mirrors a source file: test/core/test_people.py for hmr_ros/core/people.py."""
    where = Path(path).relative_to("hmr_ros")
    return (Path("test") / where.parent / f"test_{where.name}").as_posix()


def _common(test: str, path: str) -> int:
    """How many directories the two share."""
    pairs = zip(Path(test).parts[1:-1], Path(path).parts[1:-1], strict=False)
    return sum(a == b for a, b in pairs)


def _module(name: str) -> str:
    return name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _imported(file: Path) -> Iterable[str]:
    """Every name that a file may import as a module, also inside functions."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _conftests(name: str) -> Iterable[str]:
    """The conftest modules that pytest gives to a test file."""
    if name.startswith("test/"):
        for parent in Path(name).parents:
            if parent.parts:
                yield ".".join((*parent.parts, "conftest"))
