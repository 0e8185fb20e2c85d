# SPDX-License-Identifier: Apache-2.0
"""The definitions of all messages that we publish, as recordings store them: of this package and of others."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping

from hmr_ros.core.share import share_dir
from hmr_ros.ros.wire.definitions import OF_OTHERS

OURS = "hmr_ros"
"""The package whose definitions lie in ``msg/``."""

_SEPARATOR = "=" * 80


@functools.cache
def definitions() -> Mapping[str, tuple[str, ...]]:
    """The lines of each definition, by names such as std_msgs/Header; without comments and empty lines."""
    parts = (part.splitlines() for part in OF_OTHERS.split("MSG: ")[1:])
    found = {head: tuple(lines) for head, *lines in parts}
    for path in sorted((share_dir() / "msg").glob("*.msg")):
        found[f"{OURS}/{path.stem}"] = tuple(_without_comments(path.read_text(encoding="utf-8")))
    return found


def schema(name: str) -> str:
    """The definition of ``name``, such as std_msgs/Header, and of all that it contains, as recordings store them."""
    first, *others = _closure(name)
    blocks = ["\n".join(definitions()[first])]
    blocks += [f"MSG: {other}\n" + "\n".join(definitions()[other]) for other in others]
    return f"\n{_SEPARATOR}\n".join(blocks) + "\n"


def full_name(kind: str, package: str) -> str:
    """``kind`` as a definition of ``package`` names it, such as Point or geometry_msgs/Point -> geometry_msgs/Point."""
    return kind if "/" in kind else f"{package}/{kind}"


def _without_comments(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if bare := line.partition("#")[0].strip():
            yield re.sub(r"\s+", " ", bare)


def _closure(name: str) -> list[str]:
    """``name`` and the messages that it contains, each once, in the order in which they are met."""
    found = [name]
    for each in found:
        for line in definitions()[each]:
            kind = full_name(re.split(r"[\[ ]", line)[0], each.partition("/")[0])
            if kind in definitions() and kind not in found:
                found.append(kind)
    return found
