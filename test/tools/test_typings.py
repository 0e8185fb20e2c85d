# SPDX-License-Identifier: Apache-2.0
import ast
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STUBS = sorted((ROOT / "typings/rclpy").rglob("*.pyi"))
WORD = re.compile(r"\w+")

BY_DESIGN = re.compile(
    r"stub does not have (parameter|\*\*kwargs)"  # what we do not use is left out
    r"|is not keyword-only"  # that is how we pass it, and Jazzy's QoSProfile takes nothing else
    r"|MessageInfo is marked"  # Jazzy has no name for it
    r"|LifecycleNode\.__init__ .*runtime does not have parameter"  # it passes them on to Node
)
"""Differences between the stubs and rclpy that make no program wrong."""


def definitions(stub: Path) -> set[str]:
    """The names of the classes, functions and methods in ``stub``."""
    kinds = (ast.ClassDef, ast.FunctionDef)
    return {node.name for node in ast.walk(ast.parse(stub.read_text())) if isinstance(node, kinds)}


@pytest.mark.slow
def test_what_the_stubs_say_is_true_of_the_installed_rclpy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    stubtest = pytest.importorskip("mypy.stubtest")
    monkeypatch.chdir(ROOT)
    config = ["--ignore-missing-stub", "--concise", "--mypy-config-file", "pyproject.toml"]
    stubtest.test_stubs(stubtest.parse_options(["rclpy", *config]))
    lies = [line for line in capsys.readouterr().out.splitlines() if not BY_DESIGN.search(line)]
    assert not lies


def test_the_stubs_hold_what_is_used_and_nothing_else():
    stubs = Counter(word for stub in STUBS for word in WORD.findall(stub.read_text()))
    used = {word for path in (ROOT / "hmr_ros").rglob("*.py") for word in WORD.findall(path.read_text())}
    defined = {name for stub in STUBS for name in definitions(stub) if not name.startswith("_")}
    assert sorted(name for name in defined - used if stubs[name] == 1) == []
