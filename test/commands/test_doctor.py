# SPDX-License-Identifier: Apache-2.0
import argparse
import shutil
from pathlib import Path

import pytest

from hmr_ros.commands import doctor
from hmr_ros.commands.doctor import Finding
from hmr_ros.core.manifest import MODELS_VARIABLE, models_dir


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
    ],
)
def test_status_is_1_when_something_needed_is_missing(
    finding: Finding, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(doctor, "CHECKS", (lambda: iter([finding]),))
    assert doctor.run(argparse.Namespace()) == status
    assert finding.remedy in capsys.readouterr().out


def test_shipped_models_are_whole(models: Path):
    damaged = remedies(list(doctor.check_models()))
    damaged.pop("pose2mesh", None)  # not trained yet in this checkout
    assert damaged == {}


def test_a_damaged_network_is_named(models: Path):
    with (models / "blazepose_detector.onnx").open("ab") as stream:
        stream.write(b"x")
    assert "blazepose_detector" in remedies(list(doctor.check_models()))


def test_a_missing_body_model_is_named(models: Path):
    (models / "open_body.npz").unlink()
    assert "models" in remedies(list(doctor.check_models()))


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch):
    def absent(name: str) -> object:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(doctor.importlib, "import_module", absent)
    found = [*doctor.check_libraries(), *doctor.check_ros()]
    assert set(remedies(found)) == {"numpy", "cv2", "onnxruntime", "ros"}


@pytest.mark.parametrize(
    ("setting", "fine"),
    [
        ({"FASTDDS_DEFAULT_PROFILES_FILE": "fastdds.xml"}, True),
        ({"FASTDDS_BUILTIN_TRANSPORTS": "LARGE_DATA"}, True),
        ({"FASTDDS_BUILTIN_TRANSPORTS": "UDPv4"}, False),
        ({}, False),
    ],
)
def test_the_transport_that_loses_images_is_named(setting: dict[str, str], fine: bool, monkeypatch: pytest.MonkeyPatch):
    for name in doctor.TRANSPORT_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in setting.items():
        monkeypatch.setenv(name, value)
    (finding,) = doctor._check_transport("rmw_fastrtps_cpp")
    assert (finding.remedy == "") == fine
    assert not finding.needed


def test_another_middleware_needs_no_setting():
    assert list(doctor._check_transport("rmw_cyclonedds_cpp")) == []
