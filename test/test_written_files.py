# SPDX-License-Identifier: Apache-2.0
"""What the programs write, and where: results into the output directory, engines into the cache, and nothing else."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "samples"

HOOK = """
import os, sys

_log = os.open(os.environ["WRITES_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def _written(event, args):
    if event == "open":
        return args[0] if isinstance(args[2], int) and args[2] & _WRITING else None
    if event in ("os.mkdir", "os.truncate"):
        return args[0]
    return args[1] if event in ("os.rename", "os.link", "os.symlink") else None


def _hook(event, args):
    path = _written(event, args)
    if isinstance(path, (str, bytes, os.PathLike)):
        os.write(_log, os.fsencode(os.path.abspath(path)) + b"\\n")


sys.addaudithook(_hook)
"""
"""A sitecustomize that logs what Python code writes, in this process and all that it starts."""

DEVICES = ("/dev/null", "/dev/shm/", "/proc/")


class Home:
    """A user with empty directories; ``run`` runs a program as this user, from a working directory of its own."""

    def __init__(self, directory: Path):
        self.directory = directory
        (directory / "hook").mkdir()
        (directory / "hook" / "sitecustomize.py").write_text(HOOK)
        for name in ("home", "cache", "tmp", "work"):
            (directory / name).mkdir()
        self.log = directory / "writes.log"

    def run(self, *arguments: object) -> None:
        paths = [str(self.directory / "hook"), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = os.environ | {
            "HOME": str(self.directory / "home"),
            "XDG_CACHE_HOME": str(self.directory / "cache"),
            "TMPDIR": str(self.directory / "tmp"),
            "WRITES_LOG": str(self.log),
            "PYTHONPATH": os.pathsep.join(paths),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        program = [sys.executable, "-m", "hmr_ros.cli", *map(str, arguments)]
        done = subprocess.run(
            program, env=environment, cwd=self.directory / "work", capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr

    def elsewhere(self, out: str) -> list[str]:
        """What was written neither into ``out`` nor into the cache, by Python code or by libraries."""
        allowed = tuple(f"{self.directory / name}" for name in (out, "cache", "tmp", "home/.ros"))
        logged = set(self.log.read_text().splitlines())
        assert any(path.startswith(str(self.directory / out)) for path in logged), "the hook saw nothing"
        found = {str(path) for path in self.directory.rglob("*") if path.is_file() and "hook" not in path.parts}
        written = logged | found - {str(self.log)}
        return sorted(path for path in written if not path.startswith((*allowed, *DEVICES)))

    def left_over(self) -> list[Path]:
        """Temporary files that nobody removed."""
        return list((self.directory / "tmp").iterdir())


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_onnx_runtime_reports_to_nobody(tmp_path: Path):
    """With its telemetry on, it writes an identifier of this machine into TMPDIR as soon as it is imported."""
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    program = [sys.executable, "-c", "import hmr_ros, onnxruntime"]
    subprocess.run(program, env=environment | {"TMPDIR": str(tmp_path)}, cwd=ROOT, check=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_run_writes_into_its_directory_alone(home: Home):
    home.run(
        "run",
        SAMPLES / "crossing.mp4",
        "--seconds",
        0.3,
        "--save",
        "overlay,json,npz,obj",
        "--out",
        home.directory / "mine",
    )
    assert home.elsewhere("mine") == []
    assert home.left_over() == []


@pytest.mark.slow
def test_run_writes_below_the_working_directory_by_default(home: Home):
    home.run("run", SAMPLES / "crossing.mp4", "--seconds", 0.3, "--save", "json")
    assert home.elsewhere("work/out") == []


@pytest.mark.slow
@pytest.mark.ros
@pytest.mark.skipif(importlib.util.find_spec("hmr_ros.msg") is None, reason="needs ROS 2 and the built workspace")
def test_demo_node_and_player_write_into_the_demo_s_directory_alone(home: Home):
    """ROS itself keeps its log in ~/.ros."""
    home.run("demo", "--seconds", 6, "--out", home.directory / "mine")
    assert home.elsewhere("mine") == []
    assert home.left_over() == []
