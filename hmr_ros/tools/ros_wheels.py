# SPDX-License-Identifier: Apache-2.0
"""Turn a virtual environment with the ``ros-*`` wheels into a ROS 2 underlay, as /opt/ros/<distro> is one.

The wheels lack two things that a `colcon build` on top of them needs. Their exported CMake targets name the include
directories of the machine that built them, and no setup file says where they lie. ``python -m
hmr_ros.tools.ros_wheels`` mends both in the environment it runs in, any number of times with the same result.
Afterwards ``. .venv/local_setup.sh`` is what ``. /opt/ros/jazzy/setup.sh`` is elsewhere, and the
``install/setup.bash`` that colcon writes finds it by itself.
"""

from __future__ import annotations

import re
import sys
import sysconfig
from pathlib import Path

DISTRO = "jazzy"

_BUILDER_INCLUDE = re.compile(r"/opt/python/cp\d+-cp\d+/include/python[\d.]+")
_BUILDER_NUMPY = re.compile(r"/opt/python/cp\d+-cp\d+/lib/python[\d.]+/site-packages/numpy/_core/include")

_SETUP = """\
# Written by hmr_ros.tools.ros_wheels: makes this virtual environment a ROS 2 underlay. sh, bash and zsh read it.
export ROS_DISTRO={distro} ROS_VERSION=2 ROS_PYTHON_VERSION=3
export VIRTUAL_ENV="{prefix}"
case ":$AMENT_PREFIX_PATH:" in
  *":{prefix}:"*) ;;
  *)
    export AMENT_PREFIX_PATH="{prefix}${{AMENT_PREFIX_PATH:+:$AMENT_PREFIX_PATH}}"
    export CMAKE_PREFIX_PATH="{prefix}${{CMAKE_PREFIX_PATH:+:$CMAKE_PREFIX_PATH}}"
    export LD_LIBRARY_PATH="{prefix}/lib${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"
    export PATH="{prefix}/bin:$PATH"
    ;;
esac
"""


def correct_exports(prefix: Path, python_include: Path, numpy_include: Path) -> int:
    """Point the CMake exports under ``prefix``/share at this machine's headers; number of files changed."""
    changed = 0
    for export in sorted(prefix.glob("share/*/cmake/*.cmake")):
        text = export.read_text()
        corrected = _BUILDER_NUMPY.sub(str(numpy_include), _BUILDER_INCLUDE.sub(str(python_include), text))
        if corrected != text:
            export.write_text(corrected)
            changed += 1
    return changed


def write_setup(prefix: Path) -> None:
    """Write the ``local_setup`` files that colcon looks for in an underlay; one text serves all three shells."""
    text = _SETUP.format(distro=DISTRO, prefix=prefix)
    for shell in ("sh", "bash", "zsh"):
        (prefix / f"local_setup.{shell}").write_text(text)


def main() -> int:
    """Mend the environment of the running interpreter."""
    import numpy as np  # here, so that the functions above also serve where numpy is not installed yet

    prefix = Path(sys.prefix)
    if not (prefix / "share/rclpy").is_dir():
        print(f"{prefix} has no rclpy wheel; install requirements/robot.txt there first", file=sys.stderr)
        return 1
    changed = correct_exports(prefix, Path(sysconfig.get_path("include")), Path(np.get_include()))
    write_setup(prefix)
    print(f"{prefix}: ROS 2 {DISTRO} underlay, {changed} CMake exports corrected")
    return 0


if __name__ == "__main__":
    sys.exit(main())
