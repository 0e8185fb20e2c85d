# SPDX-License-Identifier: Apache-2.0
import json

import cv2
import pytest

from hmr_ros.cli import arguments_of
from hmr_ros.commands import evaluate_cameras
from hmr_ros.core.manifest import models_dir
from hmr_ros.training.datasets.motion import save_motion
from test.evaluation.rooms.test_rooms import motion  # noqa: F401


def run(*arguments):
    return evaluate_cameras.run(arguments_of("evaluate-cameras", evaluate_cameras, [str(a) for a in arguments]))


@pytest.mark.slow
def test_rooms_are_evaluated_in_a_table_in_json_and_in_a_picture(motion, tmp_path, capsys):  # noqa: F811
    save_motion(motion, tmp_path / "motion.npz")
    given = ("--motion", tmp_path / "motion.npz", "--rooms", 1, "--people", 2, "--seconds", 3)
    made = ("--json", tmp_path / "out" / "report.json", "--image", tmp_path / "out" / "room.png")
    assert run(models_dir() / "pose2mesh.json", *given, *made) == 0
    rows = json.loads((tmp_path / "out" / "report.json").read_text())["rows"]
    assert [(row["kind"], row["cameras"]) for row in rows] == [("2 degrees, 3 cm", 2), ("upside down", 2)]
    assert rows[0]["idf1"] > 0.9
    assert rows[0]["refused"] == rows[0]["wrong"] == 0
    assert rows[1]["refused"] == 1
    assert "upside down" in capsys.readouterr().out
    assert cv2.imread(str(tmp_path / "out" / "room.png")).shape[1] == 1280


def test_no_rooms_are_refused(tmp_path):
    with pytest.raises(ValueError, match="--rooms"):
        run("model.json", "--motion", tmp_path / "none.npz", "--rooms", 0)
