# SPDX-License-Identifier: Apache-2.0
"""The table of faults names tests that exist."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (.+) \| (.+) \| `(test/\S+\.py)::(\w+)` \|$", PAGE, re.MULTILINE)


def test_at_least_eighty_faults_are_named_once():
    faults = [fault for fault, *_ in ROWS]
    assert len(faults) >= 80
    assert len(set(faults)) == len(faults)


def test_every_row_has_its_test():
    lines = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| fault")]
    assert len(lines) == len(ROWS)


def test_every_named_test_exists():
    missing = [f"{path}::{name}" for _, _, path, name in ROWS if name not in _functions(path)]
    assert missing == []


def _functions(path):
    file = ROOT / path
    if not file.is_file():
        return set()
    return {node.name for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.FunctionDef)}
