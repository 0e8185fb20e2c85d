# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np

from hmr_ros.cli import main
from hmr_ros.core.skeleton import SMPL
from hmr_ros.evaluation import pose_coverage
from hmr_ros.evaluation.pose_coverage import coverage, markdown
from hmr_ros.training.datasets.motion import save_motion
from hmr_ros.training.synthetic.poses import PoseMix
from test.training.datasets.test_motion import small_motion

KNEES = [SMPL.index("left_knee"), SMPL.index("right_knee")]
PLAIN = PoseMix(**dict.fromkeys(("sitting", "lying", "crouching", "reaching", "recombined", "perturbed"), 0.0))


def motion():
    """One person on the knees and up in the held-out clip, who only stands in the others."""
    made = small_motion(60)
    made.pose[:] = 0.02 * made.pose
    made.pose[-1:, KNEES, 0] = np.deg2rad(90)
    return made


def test_what_a_recipe_draws_besides_comes_nearer_to_the_postures_it_adds():
    rows = {row.posture: row for row in coverage(motion(), dataclasses.replace(PLAIN, kneeling=0.3), 400)}
    assert list(rows) == ["upright", "kneeling"]
    assert (rows["upright"].frames, rows["kneeling"].frames) == (1, 1)
    assert rows["kneeling"].recorded.median > 20 > 12 > rows["kneeling"].recipe.median
    assert rows["kneeling"].recorded.drawn == 0 < 15 < rows["kneeling"].recipe.drawn < 35
    assert rows["upright"].recorded.median < 5
    assert rows["upright"].recorded.median <= rows["upright"].recorded.far


def test_so_many_frames_of_each_posture_are_looked_at(monkeypatch):
    monkeypatch.setattr(pose_coverage, "FRAMES", 1)
    made = motion()
    made.clip[:] = 2
    made.clip[:2] = 0
    assert [row.frames for row in coverage(made, PLAIN, 10)] == [1, 1]


def test_the_table_is_printed(tmp_path, capsys):
    save_motion(motion(), tmp_path / "motion.npz")
    words = ["data", "coverage", str(tmp_path / "motion.npz"), "--samples", "50"]
    assert main([*words, "--set", "people.poses.kneeling=0.5", "--set", "people.poses.low=0"]) == 0
    header, _, upright, kneeling = capsys.readouterr().out.splitlines()
    assert header.startswith("| posture | held-out frames |")
    assert upright.startswith("| upright | 1 |")
    assert kneeling.startswith("| kneeling | 1 |")
    assert main([*words[:3], "--samples", "0"]) == 1
    assert "--samples: expected at least 1, got 0" in capsys.readouterr().err
    assert markdown([]).count("\n") == 1
