# SPDX-License-Identifier: Apache-2.0
import argparse
import json
from pathlib import Path

import pytest

from hmr_ros.cli import arguments_of
from hmr_ros.commands import evaluate_photos
from hmr_ros.core.manifest import models_dir

PHOTOS = Path(__file__).parents[1] / "data/photos"


def test_two_networks_of_one_name_are_refused():
    with pytest.raises(ValueError, match="another network named"):
        evaluate_photos._open([models_dir() / "pose2mesh.json"] * 2, "fast", "fp32", "auto")


def parsed(*arguments: str) -> argparse.Namespace:
    return arguments_of("evaluate-photos", evaluate_photos, arguments)


def test_labels_without_people_are_refused(tmp_path):
    (tmp_path / "labels.json").write_text('{"images": [], "annotations": []}', encoding="utf-8")
    with pytest.raises(ValueError, match=r"labels\.json: expected people"):
        evaluate_photos.run(parsed(str(tmp_path / "labels.json")))


@pytest.mark.slow
def test_the_shipped_networks_on_the_shipped_photos(tmp_path, capsys):
    """The command as a whole; the share is well below what was measured."""
    assert evaluate_photos.run(parsed(str(PHOTOS / "labels.json"), "--json", f"{tmp_path}/r.json")) == 0
    assert "25 people in 18 photos" in capsys.readouterr().out
    rows = json.loads((tmp_path / "r.json").read_text())["pck"]["0.2"]
    upright = next(row for row in rows if row["group"] == "upright")
    assert all(interval["mean"] > 75 for interval in upright["pck"].values())


@pytest.mark.slow
def test_a_preset_on_degraded_photos(capsys):
    network = str(models_dir() / "pose2mesh.json")
    arguments = (str(PHOTOS / "labels.json"), "--networks", network, "--preset", "balanced", "--degrade", "grey")
    assert evaluate_photos.run(parsed(*arguments)) == 0
    assert "25 people in 18 photos; 25 found and evaluated" in capsys.readouterr().out
