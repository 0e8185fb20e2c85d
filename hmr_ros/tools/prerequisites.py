# SPDX-License-Identifier: Apache-2.0
"""What must be on a Debian or Ubuntu machine before the Makefile can make the rest.

``python3 -m hmr_ros.tools.prerequisites`` runs before anything is installed, on any Python 3: standard library only.
It names what is missing with the command that installs it; as root, in a container for example, it runs that command.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

PYTHONS = ((3, 11), (3, 12), (3, 13), (3, 14))
"""Versions that the ros-* wheels are built for."""

MACHINES = ("x86_64", "amd64")
"""Processors that they are built for."""


def wrong_machine() -> str | None:
    """What to do about a processor without ros-* wheels, such as an ARM board's; None where it has them."""
    machine = platform.machine()
    if machine.lower() in MACHINES:
        return None
    return (
        f"the ROS 2 wheels are built for x86_64, this is {machine}. On Ubuntu 24.04 install ROS 2 by apt "
        "(ros-jazzy-ros-base),\nand build this package in a workspace (README, On a robot); elsewhere, in Docker:\n"
        "  docker build -f docker/Dockerfile --target cpu -t hmr_ros ."
    )


def wrong_python() -> str | None:
    """What to do about an interpreter without ros-* wheels; None where this one has them."""
    if sys.version_info[:2] in PYTHONS:
        return None
    found = ".".join(map(str, sys.version_info[:2]))
    return (
        f"the ROS 2 wheels are built for Python 3.11 to 3.14, this is {found}. Name another one, as in\n"
        "  make demo PYTHON=python3.12\nor build this package in a workspace with ROS 2 sourced (README, On a robot)"
    )


def missing_packages() -> dict[str, str]:
    """Debian packages to install -> what they are for."""
    needed = {
        "g++": ("a C++ compiler", shutil.which(os.environ.get("CXX", "c++")) is not None),
        "python3-dev": ("Python.h", (Path(sysconfig.get_path("include")) / "Python.h").is_file()),
        "python3-venv": ("virtual environments", importlib.util.find_spec("ensurepip") is not None),
    }
    return {package: purpose for package, (purpose, present) in needed.items() if not present}


def main() -> int:
    """Report, or as root install; exit status 1 when something is still missing."""
    if advice := wrong_machine() or wrong_python():
        print(advice, file=sys.stderr)
        return 1
    missing = missing_packages()
    if not missing:
        return 0
    install = ["apt-get", "install", "--yes", "--no-install-recommends", *missing]
    print("missing: " + ", ".join(f"{package} ({purpose})" for package, purpose in missing.items()), file=sys.stderr)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print(f"install with:\n  sudo {' '.join(install)}", file=sys.stderr)
        return 1
    subprocess.run(["apt-get", "update"], check=True)
    subprocess.run(install, check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
