# SPDX-License-Identifier: Apache-2.0
"""What a Python user sees of the package: names, examples, and a photo's meshes without ROS."""

import doctest
import importlib
import importlib.util
import inspect
import json
import os
import pkgutil
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import hmr_ros
from hmr_ros.core.config import PipelineSettings
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.settings import describe
from hmr_ros.perception.assemble import open_pipeline

ROOT = Path(__file__).parents[1]
PHOTO = ROOT / "test/data/photos/basketball.jpg"
WITHOUT_ROS = """
import sys

class NoRos:
    def find_spec(self, name, path=None, target=None):
        top = name.split(".")[0]
        if top.startswith(("rclpy", "rosidl")) or top.endswith("_msgs") or name == "hmr_ros.msg":
            raise ImportError(f"{name}: there is no ROS here")

sys.meta_path.insert(0, NoRos())
"""


def run_script(script: str, directory: Path = ROOT) -> str:
    """What ``script`` prints in a fresh interpreter that finds hmr_ros, and no ROS."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("ROS", "AMENT", "PYTHON"))}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_ROS + script],
        capture_output=True,
        text=True,
        cwd=directory,
        env=clean | {"PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_package_loads_no_library():
    loaded = run_script("import json, hmr_ros; print(json.dumps(sorted(sys.modules)))")
    heavy = {"numpy", "cv2", "onnxruntime", "yaml", "torch", "rclpy"}
    assert not heavy & {name.split(".")[0] for name in json.loads(loaded)}


def test_a_record_needs_no_image_library_and_no_runtime():
    loaded = run_script(
        "import json\nfrom hmr_ros import Bodies, Camera, PipelineSettings\nprint(json.dumps([*sys.modules]))"
    )
    assert not {"cv2", "onnxruntime", "yaml"} & {name.split(".")[0] for name in json.loads(loaded)}


def test_every_public_name_is_there_typed_and_documented():
    assert sorted(hmr_ros.__all__) == sorted([*hmr_ros._MODULES, "__version__"])
    text = Path(hmr_ros.__file__).read_text()
    for name in hmr_ros._MODULES:
        assert getattr(hmr_ros, name).__doc__, name
        assert re.search(rf"^    from {hmr_ros._MODULES[name]} import .*\b{name}\b", text, re.M), name
        assert name in dir(hmr_ros)
    assert (Path(hmr_ros.__file__).parent / "py.typed").exists()


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'open_pipe'"):
        hmr_ros.open_pipe  # noqa: B018


def test_the_arguments_of_open_pipeline_are_settings_with_their_defaults():
    arguments = {name: p.default for name, p in inspect.signature(open_pipeline).parameters.items()}
    settings = {
        setting.name.removeprefix("detector.").removesuffix(".enabled"): setting.default
        for setting in describe(PipelineSettings)
    }
    assert arguments == {name: settings[name] for name in arguments}


@pytest.mark.skipif(not (models_dir() / "pose2mesh.json").is_file(), reason="needs the trained network")
def test_the_example_of_open_pipeline_gives_the_meshes_of_a_photo_without_ros():
    example = re.search(r"::\n\n((?: {8}.*\n|\n)+)", open_pipeline.__doc__)[1]
    script = textwrap.dedent(example).replace("photo.jpg", str(PHOTO))
    lines = [line for line in example.splitlines() if line.strip()]
    assert len(lines) <= 12, "ten lines or so"
    *people, last = run_script(script + "\nprint('rclpy' in sys.modules, result.bodies.valid.all())\n").splitlines()
    assert last == "False True"
    assert len(people) >= 2
    depths = [float(line.split("]")[0].split()[-1]) for line in people]
    assert all(1 < depth < 30 for depth in depths)


def modules_with_examples() -> list[str]:
    """The names of the package's modules that have doctests."""
    found = []
    for column in ("core", "engines", "perception"):
        package = importlib.import_module(f"hmr_ros.{column}")
        for info in pkgutil.walk_packages(package.__path__, f"hmr_ros.{column}."):
            if ">>> " in Path(importlib.util.find_spec(info.name).origin).read_text(encoding="utf-8"):
                found.append(info.name)
    return found


@pytest.mark.parametrize("name", modules_with_examples())
def test_the_examples_in_docstrings_are_true(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0


def test_the_words_that_users_meet_first_have_examples():
    assert {"hmr_ros.core.camera", "hmr_ros.core.config", "hmr_ros.core.people", "hmr_ros.perception.assemble"} <= set(
        modules_with_examples()
    )
