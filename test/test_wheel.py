# SPDX-License-Identifier: Apache-2.0
"""What pip installs: a wheel, built from the source archive, with all that the package needs where there is no ROS."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from hmr_ros import __version__

ROOT = Path(__file__).parent.parent
SHARE = f"hmr_ros-{__version__}.data/data/share/hmr_ros"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built of the unpacked source archive: nothing of the checkout can leak into it."""
    out = tmp_path_factory.mktemp("wheel")
    build(ROOT, "sdist", out)
    with tarfile.open(out / f"hmr_ros-{__version__}.tar.gz") as archive:
        archive.extractall(out, filter="data")
    build(out / f"hmr_ros-{__version__}", "wheel", out)
    return out / f"hmr_ros-{__version__}-py3-none-any.whl"


def build(source: Path, kind: str, out: Path) -> None:
    """Call the build backend as pip does, with the setuptools that are here instead of downloaded ones."""
    code = f"from setuptools import build_meta; build_meta.build_{kind}({str(out)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=source, check=True, capture_output=True)


def files(directory: str) -> set[str]:
    """Files of the checkout below ``directory``, caches left out."""
    found = (path for path in (ROOT / directory).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(ROOT)) for path in found}


def test_a_wheel_holds_every_module_and_every_shipped_file(wheel: Path):
    names = set(zipfile.ZipFile(wheel).namelist())
    shared = {f"{SHARE}/{path}" for directory in ("config", "models", "msg", "samples") for path in files(directory)}
    modules = {path for path in files("hmr_ros") if path.endswith((".py", "py.typed"))}
    assert (shared | modules) - names == set()
    assert {name for name in names if ".dist-info/" not in name} - shared - modules == set()


def test_an_installed_wheel_finds_its_files_without_a_checkout(wheel: Path, tmp_path: Path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = (
        "from hmr_ros.core.manifest import models_dir, load_manifest, verify\n"
        "from hmr_ros.core.share import share_dir\n"
        "[verify(load_manifest(path), path) for path in models_dir().glob('*.json')]\n"
        "print(models_dir(), *sorted(path.name for path in share_dir().rglob('*.toml')), sep='\\n')"
    )
    data = tmp_path / SHARE
    data.parent.rename(tmp_path / "share")  # as pip does with a wheel's data
    done = run(["-c", code], tmp_path)
    expected = sorted(Path(path).name for path in files("config") if path.endswith(".toml"))
    assert "pose2mesh.toml" in expected
    assert done.stdout.split() == [str(tmp_path / "share/hmr_ros/models"), *expected]


def test_the_demo_of_an_installed_wheel_says_that_ros_is_missing(wheel: Path, tmp_path: Path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    refused = run(["-m", "hmr_ros.cli", "demo"], tmp_path, status=1)
    assert "rclpy is missing" in refused.stderr


def run(arguments: list[str], wheel: Path, status: int = 0) -> subprocess.CompletedProcess[str]:
    """Python with the unpacked wheel and numpy alone: no ROS, and no start files (-S) that lead to a checkout."""
    libraries = wheel / "libraries"
    libraries.mkdir(exist_ok=True)
    for found in Path(np.__file__).parents[1].glob("numpy*"):
        (libraries / found.name).symlink_to(found)
    environment = {"PYTHONPATH": f"{wheel}:{libraries}", "HOME": str(wheel), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-S", *arguments]
    done = subprocess.run(command, cwd=wheel, env=environment, capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    return done
