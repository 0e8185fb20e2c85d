# SPDX-License-Identifier: Apache-2.0
"""The parts of ``make fuzz``, and a short run of it."""

import dataclasses
import importlib.util
import io
import struct
import warnings

import numpy as np
import pytest

if importlib.util.find_spec("hmr_ros.msg") is None or importlib.util.find_spec("onnx") is None:
    pytest.skip("needs ROS 2 and the built workspace, and onnx", allow_module_level=True)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # old modules that rclpy imports at its first message warn about themselves
    importlib.import_module("rosidl_generator_py")

from hmr_ros.bench.fuzz import mutations
from hmr_ros.bench.fuzz.campaign import run
from hmr_ros.bench.fuzz.files import files
from hmr_ros.bench.fuzz.mutations import archives, damaged, spoiled
from hmr_ros.bench.fuzz.subscribers import subscribers
from hmr_ros.bench.fuzz.targets import Target
from hmr_ros.tools import fuzz

pytestmark = pytest.mark.ros


def refused(data: bytes) -> None:
    raise ValueError(f"{len(data)} bytes")


def a_target(read, refusals=(ValueError,)):
    return Target("reader", damaged([b"valid input"]), read, refusals, 1)


def test_everything_is_read_or_refused_by_name(tmp_path):
    targets = [*subscribers(), *files(tmp_path)]
    outcomes = list(run(targets, 150, 1))
    assert [outcome.find and outcome.find.trace for outcome in outcomes] == [None] * len(targets)
    assert sum(outcome.refused for outcome in outcomes) > 50


@pytest.mark.slow
def test_valid_input_is_read(tmp_path):
    """A target whose valid input is refused would test nothing; the network and SMPL are wrong on purpose."""
    for target in [*subscribers(), *files(tmp_path)]:
        outcomes = run([dataclasses.replace(target, share=1)], 40 if target.share > 2 else 1, 0)
        (outcome,) = outcomes
        assert outcome.find is None
        assert outcome.read or target.share <= 2 or target.name == "pickle of SMPL", target.name


def test_inputs_are_shared_out():
    targets = [dataclasses.replace(a_target(refused), name=name, share=share) for name, share in (("a", 1), ("b", 3))]
    outcomes = list(run(targets, 80, 0))
    assert [(o.target, o.read, o.refused) for o in outcomes] == [("a", 0, 20), ("b", 0, 60)]


FAULTS = {
    "error": lambda: {}["absent"],
    "warning": lambda: warnings.warn("overflow", RuntimeWarning, stacklevel=1),
    "other refusal": lambda: refused(b""),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_no_refusal_is_found_with_the_smallest_input(fault):
    def read(data):
        if len(data) > 3:
            FAULTS[fault]()

    (outcome,) = run([a_target(read, refusals=(OSError,))], 200, 0)
    assert outcome.find is not None
    assert len(outcome.find.data) == 4
    assert "in read" in outcome.find.trace


def test_the_same_seed_gives_the_same_inputs():
    def inputs(number):
        seen = []
        list(run([a_target(seen.append)], 30, number))
        return seen

    assert inputs(5) == inputs(5) != inputs(6)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(0, b"abXdef"), (2, b"abXcdef"), (3, b"abdef"), (4, b"abcdefcdef"), (5, b"ab")],
)
def test_damage(kind, expected, monkeypatch):
    monkeypatch.setattr(mutations, "_TOKENS", (b"X",))
    recipe = struct.pack("<BBI", kind, 0, 4)
    assert spoiled(b"abcdef", recipe + b"rest") == expected
    assert isinstance(spoiled(b"", recipe), bytes)


def test_archives_are_whole_or_wrong():
    arrays, shapes = {"a": np.ones((2, 3)), "b": np.array(60.0)}, set()

    def read(data):
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            shapes.update(archive[name].shape for name in archive.files)

    (outcome,) = run([Target("archive", archives(arrays), read, (), 1)], 60, 0)
    assert outcome.read >= 60
    assert {(2, 3), (0,), (6,), (1, 3), ()} <= shapes


def test_the_command_keeps_what_it_found(tmp_path, monkeypatch, capsys):
    def targets(*_):
        yield a_target(refused, refusals=())

    monkeypatch.setattr("hmr_ros.bench.fuzz.files.files", targets)
    monkeypatch.setattr("hmr_ros.bench.fuzz.subscribers.subscribers", lambda: [a_target(lambda data: None)])
    assert fuzz.main(["--messages", "20", "--out", str(tmp_path)]) == 1
    assert (tmp_path / "reader.bin").read_bytes() == b""
    assert "ValueError: 0 bytes" in capsys.readouterr().out
    assert fuzz.main(["--messages", "20", "--only", "another"]) == 0
