# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the ROS tests. They need ROS 2 and the built package; without either they are skipped with the reason."""

import importlib.util
import os
import threading
import warnings
from pathlib import Path

import pytest

_HERE = Path(__file__).parent

os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
# Apart from other test runs on this machine, unless the caller has chosen a domain.
os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))
os.environ["FASTDDS_BUILTIN_TRANSPORTS"] = "LARGE_DATA"


if importlib.util.find_spec("hypothesis") is not None:
    from hypothesis import settings

    # The same examples in every run, however long one takes on a busy machine; `make fuzz` draws others.
    settings.register_profile("repeatable", deadline=None, derandomize=True)
    settings.load_profile("repeatable")


def _reason_to_skip() -> str:
    if importlib.util.find_spec("rclpy") is None:
        return "ROS 2 (rclpy) is not installed or not sourced"
    if importlib.util.find_spec("hmr_ros.core") is None:
        return "hmr_ros.msg is missing: build the workspace (make test does) and source it"
    return ""


class _SkippedModule(pytest.Module):
    """A test file that is not even imported."""

    def collect(self):
        pytest.skip(_reason_to_skip(), allow_module_level=True)


def pytest_pycollect_makemodule(module_path, parent):
    """Recordings are read without ROS; of their tests only those named as the node's need it."""
    needs_ros = module_path.parent.name != "bag" or module_path.name.endswith("_node.py")
    return _SkippedModule.from_parent(parent, path=module_path) if needs_ros and _reason_to_skip() else None


def pytest_collection_modifyitems(items):
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.ros)
            # rclpy calls its own deprecated Logger.warn when it reports incompatible QoS.
            item.add_marker(pytest.mark.filterwarnings("ignore:Deprecated in favor of:DeprecationWarning"))


if not _reason_to_skip():
    with warnings.catch_warnings():
        # Old modules that rclpy imports at its first message warn about themselves; ours must not.
        warnings.simplefilter("ignore")
        importlib.import_module("rosidl_generator_py")


@pytest.fixture(scope="session", autouse=True)
def _ros():
    if _reason_to_skip():
        yield
        return
    import rclpy

    rclpy.init()
    yield
    rclpy.try_shutdown()


@pytest.fixture(autouse=True)
def _workers_end():
    """Check that no test leaves a node active: its worker thread would keep Python from ending."""
    yield
    assert not [thread for thread in threading.enumerate() if thread.name == "hmr_worker"]


@pytest.fixture
def executor():
    """An executor whose nodes are destroyed with it."""
    from rclpy.executors import SingleThreadedExecutor

    executor = SingleThreadedExecutor()
    yield executor
    for node in executor.get_nodes():
        executor.remove_node(node)
        node.destroy_node()
    executor.shutdown()


@pytest.fixture
def closing():
    """Call ``closing(kind, *arguments)`` to make an object that is closed at the end of the test."""
    made = []

    def make(kind, *args, **options):
        made.append(kind(*args, **options))
        return made[-1]

    yield make
    for thing in made:
        thing.close()
