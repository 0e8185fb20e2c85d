# SPDX-License-Identifier: Apache-2.0
"""`hmr doctor`: check this machine; for everything that is missing, print the command that installs it.

The exit status is 1 when something that the node needs is missing. What only training and building need is reported,
too.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import importlib.util
import os
import platform
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import ManifestError, load_manifest, models_dir, verify
from hmr_ros.tools.prerequisites import missing_packages


@dataclass(frozen=True)
class Finding:
    """The result of one check. ``remedy`` is empty when all is well; ``needed``: the node cannot run without it."""

    subject: str
    detail: str
    remedy: str = ""
    needed: bool = True

    def __str__(self) -> str:
        mark = "ok" if not self.remedy else "MISSING" if self.needed else "note"
        text = f"{mark:>8}  {self.subject:<24} {self.detail}"
        return f"{text}\n{'':10}{self.remedy}" if self.remedy else text


EXAMPLES = ("hmr doctor",)

MINIMUM = {"numpy": (1, 26), "cv2": (4, 6), "onnxruntime": (1, 17), "yaml": (6, 0)}
"""Module -> oldest version that the node runs with: numpy, OpenCV and PyYAML are those of Ubuntu 24.04."""

NODE, PIPELINE = "hmr_ros.ros.node.cameras", "hmr_ros.perception.assemble"
"""Modules that import all that `hmr_node` and `hmr_multi`, and all that `hmr run` needs."""

TOO_OLD = ("foxy", "galactic", "humble", "iron")
"""Distributions of ROS 2 that have no Python 3.11."""

INSTALL = "rosdep install --from-paths src --ignore-src, or pip install -r requirements/robot.txt"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`hmr doctor` takes no arguments."""


def run(args: argparse.Namespace) -> int:
    """Print every finding; 1 when a needed one has a remedy."""
    findings = [finding for check in CHECKS for finding in check()]
    print(*findings, sep="\n")
    return int(any(finding.needed and finding.remedy for finding in findings))


def check_libraries() -> Iterator[Finding]:
    """The interpreter and the libraries that run the networks."""
    yield Finding("python", f"{platform.python_version()} on {platform.machine()}, {os.cpu_count()} cores")
    for module, minimum in MINIMUM.items():
        finding = _library(module, INSTALL, needed=True)
        yield (_c_library() if module == "onnxruntime" and finding.remedy else None) or _recent(finding, minimum)


def check_ros() -> Iterator[Finding]:
    """ROS 2, this package's messages, and the transport of images."""
    distribution = os.environ.get("ROS_DISTRO", "unknown distribution")
    if distribution in TOO_OLD:
        detail = f"{distribution} is built for a Python older than 3.11, which this package needs"
        yield Finding("ros", detail, "use ROS 2 Jazzy or later, or the container of docker/Dockerfile")
        return
    sourcing = ". install/setup.bash after `make demo`, or . /opt/ros/<distro>/setup.bash"
    try:
        utilities = importlib.import_module("rclpy.utilities")
    except ImportError as err:
        yield Finding("ros", str(err), sourcing)
        return
    middleware: str = utilities.get_rmw_implementation_identifier()
    yield Finding("ros", f"{distribution}, {middleware}")
    yield from _check_messages()
    yield from _check_transport(middleware)


def check_node() -> Iterator[Finding]:
    """All that the node imports; without ROS, all that `hmr run` imports."""
    ros = all(importlib.util.find_spec(name) for name in ("rclpy", "sensor_msgs", "hmr_ros.msg"))
    subject, module = ("node", NODE) if ros else ("pipeline", PIPELINE)
    try:
        importlib.import_module(module)
    except (ImportError, AttributeError, TypeError) as err:  # what an older library lacks, or takes otherwise
        yield Finding(subject, f"{type(err).__name__}: {err}", INSTALL)
    else:
        yield Finding(subject, f"{module} can be imported")


def check_models() -> Iterator[Finding]:
    """Every network beside its manifest, and the body model."""
    remedy = "git checkout models, or colcon build again"
    try:
        directory = models_dir()
        body = load_body_model(directory / "open_body.npz")
    except (FileNotFoundError, ValueError) as err:
        yield Finding("models", str(err), remedy)
        return
    yield Finding("body model", f"open_body, {len(body.v_template)} vertices")
    manifests = sorted(directory.glob("*.json"))
    if not any(path.stem.startswith("pose2mesh") for path in manifests):
        yield Finding("pose2mesh", f"no network in {directory}", remedy)
    yield from (_check_model(path, remedy) for path in manifests)


def check_gpu() -> Iterator[Finding]:
    """The backend that runs the networks, and why it was chosen."""
    from hmr_ros.engines.backends import choose

    choice = choose("auto")
    yield Finding("backend", f"{choice.backend}: {choice.why}")


def check_building() -> Iterator[Finding]:
    """The packages that `colcon build` and training need."""
    missing = missing_packages()
    remedy = f"sudo apt-get install {' '.join(missing)}" if missing else ""
    yield Finding("compiler", ", ".join(missing.values()) + " missing" if missing else "found", remedy, needed=False)
    yield _library("torch", "only for training: pip install -r requirements/dev.txt", needed=False)


Check = Callable[[], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (check_libraries, check_ros, check_node, check_models, check_gpu, check_building)


def _library(module: str, remedy: str, *, needed: bool) -> Finding:
    try:
        library = importlib.import_module(module)
    except ImportError as err:
        return Finding(module, str(err), remedy, needed)
    return Finding(module, str(getattr(library, "__version__", "found")))


def _c_library() -> Finding | None:
    """ONNX Runtime's C library, which is enough without the Python package; None where it is missing, too."""
    from hmr_ros.engines.onnx.c_library import load_library
    from hmr_ros.engines.runtime import EngineError

    try:
        library = load_library()
    except EngineError:
        return None
    return Finding("onnxruntime", f"{library.version}, C library {library.name}")


def _recent(finding: Finding, minimum: tuple[int, ...]) -> Finding:
    """``finding`` of a library, with a remedy where its version is below ``minimum``."""
    version = tuple(map(int, re.findall(r"\d+", finding.detail)[: len(minimum)]))
    if finding.remedy or not version or version >= minimum:
        return finding
    lowest = ".".join(map(str, minimum))
    return dataclasses.replace(finding, detail=f"{finding.detail} is too old: {lowest} or newer", remedy=INSTALL)


def _check_messages() -> Iterator[Finding]:
    try:
        importlib.import_module("hmr_ros.msg")
    except ImportError as err:
        yield Finding("messages", str(err), "colcon build, then . install/setup.bash")
    else:
        yield Finding("messages", "hmr_ros/msg/SmplBodyArray")
    try:
        importlib.import_module("tf2_msgs.msg")
    except ImportError as err:
        yield Finding("tf", str(err), "no TF frames are published; sudo apt-get install ros-<distro>-tf2-msgs", False)


def _check_transport(middleware: str) -> Iterator[Finding]:
    if middleware != "rmw_fastrtps_cpp":
        return
    from hmr_ros.ros.wire.transport import TRANSPORTS, effective, profiles_variable

    settings, variable = effective(os.environ), profiles_variable(os.environ)
    fine = variable in settings and settings.get(TRANSPORTS, "LARGE_DATA") == "LARGE_DATA"
    remedy = f"images above 0.5 MB may get lost: start the camera with {variable}=config/fastdds.xml (README)"
    detail = ", ".join(f"{name}={value}" for name, value in settings.items()) or "Fast DDS at its defaults"
    yield Finding("transport", detail, "" if fine else remedy, needed=False)


def _check_model(path: Path, remedy: str) -> Finding:
    try:
        manifest = load_manifest(path)
        verify(manifest, path)
    except ManifestError as err:
        return Finding(path.stem, str(err), remedy)
    size_mb = manifest.model_path(path).stat().st_size / 1e6
    return Finding(path.stem, f"{manifest.kind}, {size_mb:.1f} MB, sha256 {manifest.sha256[:12]}, {manifest.licence}")
