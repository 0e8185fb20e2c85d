# SPDX-License-Identifier: Apache-2.0
"""`hmr doctor`: check this machine; for everything that is missing, print the command that installs it.

The exit status is 1 when something is missing that the use in question needs: ``--for run`` is `hmr run` and Python,
which do without ROS; ``--for node`` is the ROS 2 node; ``--for train`` is training. By default it is the node where
there is a ROS 2, else run. Everything else is reported, too.
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
    """The result of one check. ``remedy`` is empty when all is well.

    ``needed``: there is no use without it; ``use`` is the only one of USES that needs it, "" where all do.
    """

    subject: str
    detail: str
    remedy: str = ""
    needed: bool = True
    use: str = ""

    def blocks(self, use: str) -> bool:
        """Whether ``use`` is impossible, as this is missing."""
        return bool(self.remedy) and self.needed and self.use in ("", use)

    def __str__(self) -> str:
        mark = "ok" if not self.remedy else "MISSING" if self.needed else "note"
        text = f"{mark:>8}  {self.subject:<24} {self.detail}"
        return f"{text}\n{'':10}{self.remedy}" if self.remedy else text


EXAMPLES = ("hmr doctor", "hmr doctor --for node")

USES = {"run": "hmr run, Python", "node": "hmr_node, hmr demo", "train": "hmr train"}
"""What a machine may be for -> the programs."""

MINIMUM = {"numpy": (1, 26), "cv2": (4, 6), "onnxruntime": (1, 17), "yaml": (6, 0)}
"""Module -> oldest version that the node runs with: numpy, OpenCV and PyYAML are those of Ubuntu 24.04."""

NODE, PIPELINE = "hmr_ros.ros.node.cameras", "hmr_ros.perception.assemble"
"""Modules that import all that `hmr_node` and `hmr_multi`, and all that `hmr run` needs."""

TOO_OLD = ("foxy", "galactic", "humble", "iron")
"""Distributions of ROS 2 that have no Python 3.11."""

INSTALL = "rosdep install --from-paths src --ignore-src, or pip install -r requirements/robot.txt"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument(
        "--for",
        dest="use",
        choices=USES,
        help="what must be possible; default: node where there is a ROS 2, else run",
    )


def run(args: argparse.Namespace) -> int:
    """Print every finding, and what is possible with them; 1 when the use in question is not."""
    use: str = args.use or _default_use()
    findings = [finding for check in CHECKS for finding in check()]
    for finding in findings:  # what another use needs is no fault here
        print(dataclasses.replace(finding, needed=finding.needed and finding.use in ("", use)))
    print(*(_verdict(name, findings) for name in USES), sep="\n")
    return int(any(finding.blocks(use) for finding in findings))


def _default_use() -> str:
    """The node where a ROS 2 is sourced or installed, else what needs none."""
    return "node" if "ROS_DISTRO" in os.environ or importlib.util.find_spec("rclpy") else "run"


def _verdict(use: str, findings: list[Finding]) -> str:
    """A line on whether ``use`` is possible, and what it lacks."""
    lacking = [finding.subject for finding in findings if finding.blocks(use)]
    result = f"no: {', '.join(lacking)}" if lacking else "yes"
    return f"{use:>8}  {USES[use]:<24} {result}"


def check_libraries() -> Iterator[Finding]:
    """The interpreter and the libraries that run the networks."""
    yield Finding("python", f"{platform.python_version()} on {platform.machine()}, {os.cpu_count()} cores")
    for module, minimum in MINIMUM.items():
        finding = _library(module, INSTALL)
        yield (_c_library() if module == "onnxruntime" and finding.remedy else None) or _recent(finding, minimum)


def check_ros() -> Iterator[Finding]:
    """ROS 2, this package's messages, and the transport of images."""
    distribution = os.environ.get("ROS_DISTRO", "unknown distribution")
    if distribution in TOO_OLD:
        detail = f"{distribution} is built for a Python older than 3.11, which this package needs"
        remedy = "use ROS 2 Jazzy or later, or the container of docker/Dockerfile"
        yield Finding("ros", detail, remedy, use="node")
        return
    sourcing = ". install/setup.bash after `make demo`, or . /opt/ros/<distro>/setup.bash"
    try:
        utilities = importlib.import_module("rclpy.utilities")
    except ImportError as err:
        yield Finding("ros", str(err), sourcing, use="node")
        return
    middleware: str = utilities.get_rmw_implementation_identifier()
    yield Finding("ros", f"{distribution}, {middleware}")
    yield from _check_messages()
    yield from _check_transport(middleware)


def check_pipeline() -> Iterator[Finding]:
    """All that `hmr run` imports."""
    yield _imported("pipeline", PIPELINE)


def check_node() -> Iterator[Finding]:
    """All that the node imports, where ROS and this package's messages are."""
    if all(importlib.util.find_spec(name) for name in ("rclpy", "sensor_msgs", "hmr_ros.msg")):
        yield dataclasses.replace(_imported("node", NODE), use="node")


def check_models() -> Iterator[Finding]:
    """Every network beside its manifest, and the body model."""
    remedy = "git checkout models, then colcon build or pip install again"
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
    yield dataclasses.replace(
        _library("torch", "for training: pip install 'hmr_ros[train]', in a checkout pip install -e '.[train]'"),
        use="train",
    )


Check = Callable[[], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    check_libraries,
    check_ros,
    check_pipeline,
    check_node,
    check_models,
    check_gpu,
    check_building,
)


def _library(module: str, remedy: str) -> Finding:
    try:
        library = importlib.import_module(module)
    except ImportError as err:
        return Finding(module, str(err), remedy)
    return Finding(module, str(getattr(library, "__version__", "found")))


def _imported(subject: str, module: str) -> Finding:
    """Whether ``module`` can be imported with all that it imports."""
    try:
        importlib.import_module(module)
    except (ImportError, AttributeError, TypeError) as err:  # what an older library lacks, or takes otherwise
        return Finding(subject, f"{type(err).__name__}: {err}", INSTALL)
    return Finding(subject, f"{module} can be imported")


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
        yield Finding("messages", str(err), "colcon build, then . install/setup.bash", use="node")
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
