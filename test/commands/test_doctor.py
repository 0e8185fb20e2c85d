# SPDX-License-Identifier: Apache-2.0
import argparse
import importlib
import shutil
import sys
import tomllib
import types
from pathlib import Path

import cv2
import pytest

from hmr_ros.commands import doctor
from hmr_ros.commands.doctor import Finding
from hmr_ros.core.manifest import MODELS_VARIABLE, models_dir
from hmr_ros.engines.onnx import c_library
from hmr_ros.engines.onnx.c_library import CLibrary
from hmr_ros.engines.runtime import EngineError
from hmr_ros.ros.wire import transport


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the models directory, as the one in use."""
    copy = tmp_path / "models"
    shutil.copytree(models_dir(), copy)
    monkeypatch.setenv(MODELS_VARIABLE, str(copy))
    return copy


def remedies(findings: list[Finding]) -> dict[str, str]:
    return {finding.subject: finding.remedy for finding in findings if finding.remedy}


@pytest.mark.parametrize(
    ("finding", "status"),
    [
        (Finding("x", "fine"), 0),
        (Finding("x", "absent", "install it", needed=False), 0),
        (Finding("x", "absent", "install it"), 1),
        (Finding("x", "absent", "install it", use="run"), 1),
        (Finding("x", "absent", "install it", use="node"), 0),
    ],
)
def test_status_is_1_when_something_needed_is_missing(
    finding: Finding, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(doctor, "CHECKS", (lambda: iter([finding]),))
    assert doctor.run(argparse.Namespace(use="run")) == status
    printed = capsys.readouterr().out
    assert finding.remedy in printed
    assert ("MISSING" in printed) == bool(status)


NO_RCLPY = Finding("ros", "No module named 'rclpy'", ". /opt/ros/<distro>/setup.bash", use="node")


@pytest.mark.parametrize(
    ("asked", "sourced", "status"),
    [(None, False, 0), ("run", True, 0), (None, True, 1), ("node", False, 1), ("train", False, 1)],
)
def test_without_ros_only_the_node_is_impossible(
    asked: str | None, sourced: bool, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Who installed with pip has all that `hmr run` needs; who sourced a ROS 2 asks for the node."""
    no_torch = Finding("torch", "No module named 'torch'", "pip install torch", use="train")
    monkeypatch.setattr(doctor, "CHECKS", (lambda: iter([Finding("numpy", "2.4"), NO_RCLPY, no_torch]),))
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None)
    monkeypatch.delenv("ROS_DISTRO", raising=False)
    if sourced:
        monkeypatch.setenv("ROS_DISTRO", "jazzy")
    assert doctor.run(argparse.Namespace(use=asked)) == status
    verdicts = [line.split() for line in capsys.readouterr().out.splitlines()[-3:]]
    assert {words[0]: " ".join(words[-2:]) for words in verdicts} == {
        "run": "Python yes",
        "node": "no: ros",
        "train": "no: torch",
    }


def test_what_is_missing_without_ros_is_needed_by_the_node_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("ROS_DISTRO", raising=False)
    monkeypatch.setitem(sys.modules, "rclpy.utilities", None)
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None)
    missing = [finding for finding in [*doctor.check_ros(), *doctor.check_node()] if finding.remedy]
    assert missing
    assert not any(finding.blocks("run") for finding in missing)
    assert any(finding.blocks("node") for finding in missing)


def test_shipped_models_are_whole(models: Path):
    damaged = remedies(list(doctor.check_models()))
    damaged.pop("pose2mesh", None)  # not trained yet in this checkout
    assert damaged == {}


def test_a_damaged_network_is_named(models: Path):
    with (models / "hand_recrop.onnx").open("ab") as stream:
        stream.write(b"x")
    assert "hand_recrop" in remedies(list(doctor.check_models()))


def test_a_missing_body_model_is_named(models: Path):
    (models / "open_body.npz").unlink()
    assert "models" in remedies(list(doctor.check_models()))


def no_library() -> CLibrary:
    raise EngineError("libonnxruntime.so: cannot open shared object file")


def test_onnxruntimes_c_library_is_enough(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    library = types.SimpleNamespace(version="1.24.3", name="/opt/libonnxruntime.so")
    monkeypatch.setattr(c_library, "load_library", lambda: library)
    (finding,) = (finding for finding in doctor.check_libraries() if finding.subject == "onnxruntime")
    assert finding == Finding("onnxruntime", "1.24.3, C library /opt/libonnxruntime.so")
    monkeypatch.setattr(c_library, "load_library", no_library)
    assert "onnxruntime" in remedies(list(doctor.check_libraries()))


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch):
    def absent(name: str) -> object:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(doctor.importlib, "import_module", absent)
    monkeypatch.setattr(c_library, "load_library", no_library)
    found = [*doctor.check_libraries(), *doctor.check_ros()]
    assert set(remedies(found)) == {"numpy", "cv2", "onnxruntime", "yaml", "ros"}


@pytest.mark.parametrize(
    ("version", "old"), [("4.5.4", True), ("4.5.5-dev", True), ("4.6.0", False), ("4.14.0", False), ("5", False)]
)
def test_a_library_that_is_too_old_is_named(version: str, old: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cv2, "__version__", version)
    (detail,) = (finding.detail for finding in doctor.check_libraries() if finding.subject == "cv2")
    assert detail == (f"{version} is too old: 4.6 or newer" if old else version)
    assert ("cv2" in remedies(list(doctor.check_libraries()))) == old


def test_the_oldest_libraries_are_those_that_are_tested():
    root = Path(__file__).parents[2]
    pins = dict(line.split("==") for line in (root / "requirements/noble.txt").read_text().splitlines() if "==" in line)
    asked = tomllib.loads((root / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {"cv2": "opencv-python-headless", "yaml": "pyyaml"}
    for module, minimum in doctor.MINIMUM.items():
        lowest = ".".join(map(str, minimum))
        assert f"{names.get(module, module)}>={lowest}" in asked
        assert module == "onnxruntime" or pins[names.get(module, module)].startswith(f"{lowest}.")


@pytest.mark.parametrize(("ros", "subjects"), [(True, ["pipeline", "node"]), (False, ["pipeline"])])
@pytest.mark.parametrize("error", [ModuleNotFoundError("No module named 'cv2.typing'"), AttributeError("cv2.NEW")])
def test_what_the_node_cannot_import_is_named(
    ros: bool, subjects: list[str], error: Exception, monkeypatch: pytest.MonkeyPatch
):
    def broken(name: str) -> object:
        if name in (doctor.NODE, doctor.PIPELINE):
            raise error
        return importlib.import_module(name)

    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: ros or None)
    monkeypatch.setattr(doctor, "importlib", types.SimpleNamespace(import_module=broken, util=importlib.util))
    findings = [*doctor.check_pipeline(), *doctor.check_node()]
    assert [finding.subject for finding in findings] == subjects
    for finding in findings:
        assert finding.blocks(finding.use or "run")
        assert str(error) in finding.detail


def test_a_node_that_starts_is_reported():
    pytest.importorskip("rclpy")
    (finding,) = doctor.check_node()
    assert finding.remedy == ""


def test_a_distribution_without_python_3_11_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ROS_DISTRO", "humble")
    (finding,) = doctor.check_ros()
    assert finding.blocks("node")
    assert "humble is built for a Python older than 3.11" in finding.detail
    assert "Jazzy" in finding.remedy


@pytest.mark.parametrize(
    ("setting", "fine"),
    [
        ({"ROS_DISTRO": "kilted", "FASTDDS_DEFAULT_PROFILES_FILE": "fastdds.xml"}, True),
        ({"ROS_DISTRO": "jazzy", "FASTDDS_DEFAULT_PROFILES_FILE": "fastdds.xml"}, False),  # not read there
        ({"ROS_DISTRO": "jazzy", "FASTRTPS_DEFAULT_PROFILES_FILE": "fastdds.xml"}, True),
        ({"FASTDDS_BUILTIN_TRANSPORTS": "LARGE_DATA"}, False),  # its shared memory is as small as the default's
        (
            {
                "ROS_DISTRO": "jazzy",
                "FASTRTPS_DEFAULT_PROFILES_FILE": "fastdds.xml",
                "FASTDDS_BUILTIN_TRANSPORTS": "LARGE_DATA",
            },
            True,
        ),
        ({"FASTDDS_BUILTIN_TRANSPORTS": "UDPv4"}, False),
        ({}, False),
    ],
)
def test_the_transport_that_loses_images_is_named(setting: dict[str, str], fine: bool, monkeypatch: pytest.MonkeyPatch):
    for name in transport.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in setting.items():
        monkeypatch.setenv(name, value)
    (finding,) = doctor._check_transport("rmw_fastrtps_cpp")
    assert (finding.remedy == "") == fine
    assert not finding.needed


def test_another_middleware_needs_no_setting():
    assert list(doctor._check_transport("rmw_cyclonedds_cpp")) == []
