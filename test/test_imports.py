# SPDX-License-Identifier: Apache-2.0
"""What each part of the package really loads, in a fresh interpreter. import-linter checks the same by reading."""

import importlib.util
import json
import subprocess
import sys

import pytest

ROS = {"rclpy", "std_msgs", "sensor_msgs", "geometry_msgs", "visualization_msgs", "diagnostic_msgs", "cv_bridge"}
TRAINING = {"torch", "smplx", "hmr_ros.networks", "hmr_ros.training"}
ROBOT = {"hmr_ros.engines", "hmr_ros.perception", "hmr_ros.ros"}

PROBE = """
import importlib, json, pkgutil, sys
before = set(sys.modules)
for name in sys.argv[1:]:
    module = importlib.import_module(name)
    for info in pkgutil.walk_packages(getattr(module, "__path__", ()), name + "."):
        # The launch files' alone, as launch is: no wheel has it. Recordings need libraries that a robot may lack.
        if info.name != "hmr_ros.ros.node.launching" and not info.name.startswith("hmr_ros.ros.bag."):
            importlib.import_module(info.name)
loaded = set(sys.modules) - before
print(json.dumps(sorted({n.split(".")[0] for n in loaded} | {".".join(n.split(".")[:2]) for n in loaded})))
"""

WITHOUT_RCLPY = """
import importlib, pkgutil, sys
import hmr_ros.ros.bag
for info in pkgutil.walk_packages(hmr_ros.ros.bag.__path__, "hmr_ros.ros.bag."):
    importlib.import_module(info.name)
print(*sys.modules)
"""


def loaded_by(*names: str) -> set[str]:
    """Modules, and submodules one level down, that importing everything in ``names`` loads."""
    done = subprocess.run([sys.executable, "-c", PROBE, *names], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


def needs(*modules: str) -> None:
    for module in modules:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"needs {module}")


def test_core_loads_numpy_and_the_standard_library_only():
    top = {name for name in loaded_by("hmr_ros.core") if "." not in name}
    # numpy.testing and friends may look at psutil or threadpoolctl, but do not load them
    assert top - sys.stdlib_module_names - {"hmr_ros", "numpy"} == set()


def test_engines_and_perception_load_neither_ros_nor_training():
    loaded = loaded_by("hmr_ros.engines", "hmr_ros.perception")
    assert loaded & (ROS | TRAINING | {"hmr_ros.ros"}) == set()


def test_engines_load_no_image_library():
    assert "cv2" not in loaded_by("hmr_ros.engines")


def test_the_node_loads_no_training():
    needs("rclpy", "hmr_ros.msg")
    loaded = loaded_by("hmr_ros.ros")
    assert loaded & TRAINING == set()
    assert "rclpy" in loaded


def test_recordings_load_neither_ros_nor_training():
    needs("mcap", "rosbags")
    done = subprocess.run([sys.executable, "-c", WITHOUT_RCLPY], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) & ({"rclpy"} | TRAINING) == set()


def test_what_trains_exports_and_evaluates_loads_neither_ros_nor_the_robots_column():
    needs("torch", "onnx")
    offline = "hmr_ros.networks", "hmr_ros.training", "hmr_ros.export", "hmr_ros.evaluation.held_out"
    loaded = loaded_by(*offline, "hmr_ros.evaluation.ablation")
    assert loaded & (ROS | ROBOT) == set()
    assert "torch" in loaded


def test_evaluation_on_photos_and_parity_load_no_training():
    loaded = loaded_by("hmr_ros.evaluation.photos", "hmr_ros.evaluation.parity")
    assert loaded & (ROS | TRAINING | {"hmr_ros.ros"}) == set()


def test_the_command_line_loads_what_it_needs_when_it_needs_it():
    loaded = loaded_by("hmr_ros.cli", "hmr_ros.commands.doctor")
    assert loaded & (ROS | ROBOT | TRAINING | {"cv2", "onnxruntime"}) == set()
