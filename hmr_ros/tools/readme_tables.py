# SPDX-License-Identifier: Apache-2.0
"""Write what the code defines and what was measured into documents: ``python -m hmr_ros.tools.readme_tables``.

A table stands between ``<!-- table: NAME -->`` and ``<!-- end -->``; a test fails while one is out of date.
config/hmr.yaml is written, too.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from hmr_ros.cli import COMMANDS
from hmr_ros.core.config import RobotConfig
from hmr_ros.core.config.fusing import FusingConfig
from hmr_ros.core.settings import Setting, describe
from hmr_ros.tools.measured_tables import MEASURED_TABLES, markdown

_TABLE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


ROOT = Path(__file__).parents[2]
DOCUMENTS = (
    ROOT / "README.md",
    *(ROOT / "docs" / f"{name}.md" for name in ("ros", "cameras", "evaluation", "fusion", "ground", "tracking")),
)
PARAMETERS_FILE = ROOT / "config" / "hmr.yaml"


def with_tables(document: str) -> str:
    """``document`` with every marked table written again. Raises KeyError for a table that nobody makes."""
    return _TABLE.sub(lambda match: match[1] + TABLES[match[2]]() + match[3], document)


USUAL = (
    "backend",
    "model",
    "max_people",
    "max_latency_ms",
    "image_transport",
    "use_depth",
    "detections.source",
    "ground_frame",
    "world_frame",
    "target_frame",
    "publish_tf",
    "humans.enabled",
    "planning.collision_objects",
)
"""The parameters that most users look at first."""


def parameters_table() -> str:
    """Every ROS parameter: name, default, range, whether it may change while the node runs."""
    return _parameters(describe(RobotConfig))


def usual_parameters_table() -> str:
    """The first that users look at."""
    return _parameters([setting for setting in describe(RobotConfig) if setting.name in USUAL])


def fusing_parameters_table() -> str:
    """The parameters that ``hmr_fuse`` alone has."""
    others = {setting.name for setting in describe(RobotConfig)}
    return _parameters([setting for setting in describe(FusingConfig) if setting.name not in others])


def _parameters(settings: Iterable[Setting]) -> str:
    rows = [
        (f"`{s.name}`", _literal(s), s.allowed, "" if s.read_only else "yes", s.doc.replace("<", "&lt;"))
        for s in settings
    ]
    return markdown(("parameter", "default", "allowed", "live", "meaning"), rows)


def commands_table() -> str:
    """Every subcommand of `hmr`."""
    return markdown(("command", "does"), [(f"`hmr {name}`", line) for name, line in COMMANDS.items()])


def parameters_file() -> str:
    """Every ROS parameter at its default, as a params file."""
    lines = [
        "# Every parameter of hmr_node at its default. `ros2 param describe /hmr <name>` tells the same while it runs.",
        "/**:",
        "  ros__parameters:",
    ]
    group = ""
    for s in describe(RobotConfig):
        inside, _, name = s.name.rpartition(".")
        if inside != group:
            lines.append(f"    {inside}:")
            group = inside
        allowed, live = f" ({s.allowed})" if s.allowed else "", "" if s.read_only else " [live]"
        lines.append(f"    {'  ' * bool(inside)}{name}: {json.dumps(s.default)}  # {s.doc}{allowed}{live}")
    return "\n".join(lines) + "\n"


TABLES = {
    "parameters": parameters_table,
    "usual_parameters": usual_parameters_table,
    "fusing_parameters": fusing_parameters_table,
    "commands": commands_table,
} | MEASURED_TABLES


def _literal(s: Setting) -> str:
    """The default as YAML has it."""
    return str(s.default).lower() if isinstance(s.default, bool) else str(s.default) or '""'


def main() -> int:
    """Rewrite the documents and the params file of this checkout."""
    for document in DOCUMENTS:
        document.write_text(with_tables(document.read_text()))
    PARAMETERS_FILE.write_text(parameters_file())
    return 0


if __name__ == "__main__":
    sys.exit(main())
