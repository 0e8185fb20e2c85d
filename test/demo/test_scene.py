# SPDX-License-Identifier: Apache-2.0
"""The demo as a scene; what is in one is tested in test/viewing."""

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("hmr_ros.msg")

from hmr_ros.demo import scene
from test.demo.test_tape import CAMERA, moment
from test.ros.stubs import BODY_MODEL


def test_moments_become_snapshots_with_their_cameras():
    first, second = scene._snapshots([moment(0, [41, 7]), moment(2, [41], lost=[7])])
    assert (first.stamp_s, second.stamp_s) == (0, pytest.approx(2))
    assert (first.bodies.ids.tolist(), second.bodies.ids.tolist()) == ([41, 7], [41])
    assert first.camera is CAMERA


def test_without_rerun_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(scene.importlib.util, "find_spec", lambda name: None)
    assert not scene.write_scene(tmp_path / "demo.rrd", [moment(0, [1])], BODY_MODEL)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_written(tmp_path):
    pytest.importorskip("rerun")
    assert scene.write_scene(tmp_path / "demo.rrd", [moment(0, [1])], BODY_MODEL)
    assert [path.name for path in tmp_path.iterdir()] == ["demo.rrd"]
