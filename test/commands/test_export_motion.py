# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hmr_ros.cli import main
from hmr_ros.commands import export_motion
from test.results.results import bodies, write_mcap, write_npz


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_npz(tmp_path / "bodies.npz", [(k, k / 10, bodies(k, [3, 8])) for k in range(12)])
    return tmp_path


def test_every_format_of_every_person_is_written(here, capsys):
    pytest.importorskip("mcap")
    assert main(["export-motion", "bodies.npz", "--fps", "30"]) == 0
    names = sorted(path.name for path in (here / "out/motion").iterdir())
    suffixes = (".bvh", ".csv", ".glb", ".mcap", ".urdf", "_poses.npz")
    assert names == sorted(f"{person}{suffix}" for person in (3, 8) for suffix in suffixes)
    assert "out/motion/3.bvh  34 frames at 30 fps from 0.00 s on\n" in capsys.readouterr().out


def test_people_stand_on_the_floor_and_walk_to_the_right(here):
    assert main(["export-motion", "bodies.npz", "--format", "amass", "--person", "8"]) == 0
    with np.load("out/motion/8_poses.npz") as read:
        trans = read["trans"]
    assert trans[-1, 1] - trans[0, 1] == pytest.approx(-1.1, abs=0.1)
    assert np.abs(trans[:, 2] - trans[0, 2]).max() < 0.2


def test_long_gaps_part_a_track(here):
    each = [(k, k / 10, bodies(k)) for k in range(12)] + [(k, 5 + k / 10, bodies(k)) for k in range(12)]
    write_npz(here / "bodies.npz", each)
    assert main(["export-motion", str(here), "--format", "bvh", "--out", "motion"]) == 0
    assert sorted(path.name for path in (here / "motion").iterdir()) == ["1-2.bvh", "1.bvh"]
    assert main(["export-motion", str(here), "--format", "bvh", "--out", "one", "--max-gap", "9"]) == 0
    assert [path.name for path in (here / "one").iterdir()] == ["1.bvh"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["bodies.npz", "--fps", "0"], "fps: expected a positive number, got 0.0"),
        (["bodies.npz", "--person", "5", "--format", "bvh"], "--person 5: not in this result; there are 3, 8"),
        (["gone.npz", "--format", "bvh"], "gone.npz: no such file"),
        (["bodies.npz", "--robot", "a.toml"], "--robot and --urdf belong together"),
    ],
)
def test_mistakes_are_named(here, capsys, arguments, words):
    assert main(["export-motion", *arguments]) == 1
    assert words in capsys.readouterr().err


def test_a_format_that_is_none_is_named(here, capsys):
    with pytest.raises(SystemExit):
        main(["export-motion", "bodies.npz", "--format", "fbx"])
    assert "expected some of bvh, amass, glb, joints, got 'fbx'" in capsys.readouterr().err


def test_a_robot_follows_within_its_limits(here, capsys):
    pytest.importorskip("mcap")
    (here / "robot.toml").write_text('[joints]\nleft_knee = "-l_knee"\n')
    limit = '<limit lower="0" upper="0.3"/>'
    (here / "robot.urdf").write_text(f'<robot name="r"><joint name="left_knee" type="revolute">{limit}</joint></robot>')
    robot = ["--robot", "robot.toml", "--urdf", "robot.urdf"]
    assert main(["export-motion", "bodies.npz", "--format", "bvh", "--person", "3", *robot]) == 0
    assert sorted(path.name for path in (here / "out/motion").iterdir()) == ["3.bvh", "3_robot.csv", "3_robot.mcap"]
    lines = (here / "out/motion/3_robot.csv").read_text().splitlines()
    assert lines[0] == "time,left_knee"
    bend = np.array([float(line.split(",")[1]) for line in lines[1:]])
    assert (np.diff(bend) > -1e-6).all()  # the knee bends
    assert bend[-1] == pytest.approx(0.3)
    assert "3: held at the robot's limits in part of the frames: left_knee (" in capsys.readouterr().err


def test_nothing_to_write_is_status_1(here, capsys):
    assert main(["export-motion", "bodies.npz", "--format", "bvh", "--min-seconds", "9"]) == 1
    assert "3: what is shorter than 9 s is left out" in capsys.readouterr().err


def test_without_mcap_the_remedy_is_named(here, capsys, monkeypatch):
    monkeypatch.setattr(export_motion.importlib.util, "find_spec", lambda name: None)
    assert main(["export-motion", "bodies.npz"]) == 1
    assert "pip install mcap, or --format bvh,amass,glb" in capsys.readouterr().err


def test_a_body_of_smpl_wants_its_model(here, capsys):
    pytest.importorskip("mcap")
    write_mcap(here / "bodies.mcap", [(10**18 + k * 10**8, bodies(k)) for k in range(3)], body_model="smpl_neutral")
    assert main(["export-motion", "bodies.mcap"]) == 1
    assert "the bodies are of smpl_neutral: give its file with --smpl" in capsys.readouterr().err
