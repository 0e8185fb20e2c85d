# SPDX-License-Identifier: Apache-2.0
"""`hmr view`; what is in a scene is tested in test/viewing."""

import importlib.util

import pytest

from hmr_ros.cli import main
from hmr_ros.commands import view
from test.results.results import bodies, write_mcap, write_npz

RERUN = importlib.util.find_spec("rerun")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_npz(tmp_path / "bodies.npz", [(0, 0.0, bodies(0)), (1, 0.1, bodies(1))])
    return tmp_path


@pytest.fixture
def _rerun_seems_installed(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(view.importlib.util, "find_spec", lambda name: True if name == "rerun" else find(name))


def test_without_rerun_the_remedy_is_named(here, capsys, monkeypatch):
    monkeypatch.setattr(view.importlib.util, "find_spec", lambda name: None)
    assert main(["view", "bodies.npz"]) == 1
    assert "pip install rerun-sdk (or hmr_ros[rerun])" in capsys.readouterr().err


@pytest.mark.usefixtures("_rerun_seems_installed")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["bodies.npz", "--save", "a.png"], "expected a name that ends in .rrd"),
        (["bodies.npz", "--mesh-faces", "3"], "--mesh-faces: expected 4 or more"),
    ],
)
def test_mistakes_are_named(here, capsys, arguments, words):
    assert main(["view", *arguments]) == 1
    assert words in capsys.readouterr().err


@pytest.mark.skipif(RERUN is None, reason="needs rerun-sdk")
def test_arrays_and_recordings_are_shown(here, capsys):
    pytest.importorskip("mcap")
    assert main(["view", "bodies.npz", "--save", "a.rrd", "--mesh-faces", "100"]) == 0
    shown = capsys.readouterr()
    assert shown.out == "a.rrd  (rerun a.rrd)\n"
    assert "without images: --images gives" in shown.err
    write_mcap(here / "bodies.mcap", [(10**18, bodies(0))])
    assert main(["view", str(here), "--save", "b.rrd", "--mesh-faces", "100"]) == 0
    assert (here / "b.rrd").stat().st_size > 10_000


@pytest.mark.skipif(RERUN is None, reason="needs rerun-sdk")
def test_images_come_from_where_they_are_asked_for(here, capsys):
    import cv2
    import numpy as np

    (here / "photos").mkdir()
    for k in range(2):
        cv2.imwrite(f"photos/{k}.png", np.full((48, 64, 3), 60 * k, np.uint8))
    assert main(["view", "bodies.npz", "--images", "photos", "--save", "a.rrd", "--mesh-faces", "100"]) == 0
    assert "without images" not in capsys.readouterr().err


@pytest.mark.skipif(RERUN is None, reason="needs rerun-sdk")
def test_another_body_is_asked_for(here, capsys):
    pytest.importorskip("mcap")
    write_mcap(here / "bodies.mcap", [(10**18, bodies(0))], body_model="smpl_neutral")
    assert main(["view", "bodies.mcap", "--save", "b.rrd"]) == 1
    assert "the bodies are of smpl_neutral: give its file with --smpl" in capsys.readouterr().err
