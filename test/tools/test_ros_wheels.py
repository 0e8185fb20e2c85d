# SPDX-License-Identifier: Apache-2.0
import subprocess
from pathlib import Path

import pytest

from hmr_ros.tools import ros_wheels

EXPORT = """set_target_properties(std_msgs::py PROPERTIES
  INTERFACE_INCLUDE_DIRECTORIES "/opt/python/cp311-cp311/include/python3.11;\
/opt/python/cp311-cp311/lib/python3.11/site-packages/numpy/_core/include;${_IMPORT_PREFIX}/include/std_msgs"
)
"""


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    directory = tmp_path / "share/std_msgs/cmake"
    directory.mkdir(parents=True)
    (directory / "export.cmake").write_text(EXPORT)
    (directory / "other.cmake").write_text("nothing to correct\n")
    return tmp_path


def test_exports_are_corrected_once(prefix: Path):
    assert ros_wheels.correct_exports(prefix, Path("/inc/python"), Path("/inc/numpy")) == 1
    text = (prefix / "share/std_msgs/cmake/export.cmake").read_text()
    assert '"/inc/python;/inc/numpy;${_IMPORT_PREFIX}/include/std_msgs"' in text
    assert ros_wheels.correct_exports(prefix, Path("/inc/python"), Path("/inc/numpy")) == 0


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_sourcing_twice_adds_the_prefix_once(shell: str, prefix: Path):
    ros_wheels.write_setup(prefix)
    setup = prefix / f"local_setup.{shell}"
    script = f'. {setup}; . {setup}; echo "$AMENT_PREFIX_PATH|$PATH|$ROS_DISTRO|$VIRTUAL_ENV"'
    environment = {"PATH": "/usr/bin:/bin", "AMENT_PREFIX_PATH": "/opt/other"}
    done = subprocess.run([shell, "-uc", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{prefix}:/opt/other|{prefix}/bin:/usr/bin:/bin|jazzy|{prefix}"


def test_an_environment_without_the_wheels_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(ros_wheels.sys, "prefix", str(tmp_path))
    assert ros_wheels.main() == 1
    assert "requirements/robot.txt" in capsys.readouterr().err
