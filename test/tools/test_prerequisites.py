# SPDX-License-Identifier: Apache-2.0
import subprocess
import sys
from pathlib import Path

import pytest

from hmr_ros.tools import prerequisites


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Commands that were run, none of them for real."""
    run: list[list[str]] = []
    monkeypatch.setattr(prerequisites.subprocess, "run", lambda command, check: run.append(command))
    return run


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No compiler, no headers, no ensurepip."""
    monkeypatch.setattr(prerequisites.shutil, "which", lambda name: "/bin/apt-get" if name == "apt-get" else None)
    monkeypatch.setattr(prerequisites.sysconfig, "get_path", lambda name: str(tmp_path))
    monkeypatch.setattr(prerequisites.importlib.util, "find_spec", lambda name: None)


def test_what_is_missing_is_named_with_the_command(
    bare_machine: None,
    commands: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setattr(prerequisites.os, "geteuid", lambda: 1000)
    assert prerequisites.main() == 1
    said = capsys.readouterr().err
    assert "g++ (a C++ compiler), python3-dev (Python.h), python3-venv" in said
    assert "sudo apt-get install --yes --no-install-recommends g++ python3-dev python3-venv" in said
    assert commands == []


def test_root_installs_it(bare_machine: None, commands: list[list[str]], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(prerequisites.os, "geteuid", lambda: 0)
    assert prerequisites.main() == 0
    assert [command[:2] for command in commands] == [["apt-get", "update"], ["apt-get", "install"]]
    assert commands[1][-3:] == ["g++", "python3-dev", "python3-venv"]


@pytest.mark.parametrize("version", [(3, 10, 12), (3, 15, 0)])
def test_a_python_without_ros_wheels_is_refused(
    version: tuple[int, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(prerequisites.sys, "version_info", version)
    assert prerequisites.main() == 1
    assert "PYTHON=python3.12" in capsys.readouterr().err


@pytest.mark.parametrize("version", [(3, 11, 2), (3, 12, 3), (3, 13, 0), (3, 14, 0)])
@pytest.mark.parametrize("machine", ["x86_64", "AMD64"])
def test_every_python_with_ros_wheels_is_accepted(
    version: tuple[int, ...], machine: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(prerequisites.sys, "version_info", version)
    monkeypatch.setattr(prerequisites.platform, "machine", lambda: machine)
    monkeypatch.setattr(prerequisites, "missing_packages", dict)
    assert prerequisites.main() == 0


@pytest.mark.parametrize("version", [(3, 10, 12), (3, 12, 3)])
def test_a_processor_without_ros_wheels_gets_another_way_at_once(
    version: tuple[int, ...],
    commands: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setattr(prerequisites.sys, "version_info", version)
    monkeypatch.setattr(prerequisites.platform, "machine", lambda: "aarch64")
    assert prerequisites.main() == 1
    said = capsys.readouterr().err
    assert "this is aarch64" in said
    assert "ros-jazzy-ros-base" in said
    assert "docker build -f docker/Dockerfile" in said
    assert commands == []


def test_it_runs_before_anything_is_installed():
    """-S: without site-packages, so without numpy."""
    script = "import hmr_ros.tools.prerequisites as p; p.missing_packages()"
    root = Path(prerequisites.__file__).parents[2]
    subprocess.run([sys.executable, "-S", "-c", script], cwd=root, check=True)
