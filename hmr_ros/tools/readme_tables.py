"""Write the tables of README.md that the code defines: ``python -m hmr_ros.tools.readme_tables``.

A table stands between ``<!-- table: NAME -->`` and ``<!-- end -->``; a test fails while one is out of date.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

from hmr_ros.cli import COMMANDS
from hmr_ros.core.config import RobotConfig
from hmr_ros.core.settings import Setting, describe

_TABLE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def with_tables(readme: str) -> str:
    """``readme`` with every marked table written anew. Raises KeyError for a table that nobody makes."""
    return _TABLE.sub(lambda match: match[1] + TABLES[match[2]]() + match[3], readme)


def parameters_table() -> str:
    """Every ROS parameter: name, default, range, whether it may change while the node runs."""
    rows = [
        (f"`{s.name}`", _literal(s), s.allowed, "" if s.read_only else "yes", s.doc.replace("<", "&lt;"))
        for s in describe(RobotConfig)
    ]
    return _table(("parameter", "default", "allowed", "live", "meaning"), rows)


def commands_table() -> str:
    """Every subcommand of `hmr`."""
    return _table(("command", "does"), [(f"`hmr {name}`", line) for name, (_, line) in COMMANDS.items()])


TABLES = {"parameters": parameters_table, "commands": commands_table}


def _literal(s: Setting) -> str:
    """The default as YAML has it."""
    return str(s.default).lower() if isinstance(s.default, bool) else str(s.default) or '""'


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def main() -> int:
    """Rewrite README.md of this checkout."""
    readme = Path(__file__).parents[2] / "README.md"
    readme.write_text(with_tables(readme.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
