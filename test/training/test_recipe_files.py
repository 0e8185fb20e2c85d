# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from hmr_ros.core.share import share_dir
from hmr_ros.training.recipe_files import find_recipe

SHIPPED = share_dir() / "config/train/pose2mesh.toml"


@pytest.mark.parametrize("name", ["pose2mesh", "pose2mesh.toml", "config/train/pose2mesh.toml"])
def test_a_shipped_recipe_is_found_by_name_from_anywhere(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert find_recipe(Path(name)) == SHIPPED


def test_a_file_of_the_user_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    own = Path("pose2mesh.toml")
    own.touch()
    assert find_recipe(own) == own


@pytest.mark.parametrize("name", ["pose3mesh", "elsewhere/pose2mesh.toml", "pose2mesh.json"])
def test_an_unknown_recipe_is_refused_with_the_names_there_are(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    shipped = ("ablation", "ablation_pose2mesh", "fusion", "global_to_pixel", "global_to_pixel_hands")
    names = ", ".join((*shipped, "global_to_pixel_thunder", "hand_pose2mesh", "hand_pose2mesh_paper", "pose2mesh"))
    with pytest.raises(FileNotFoundError, match=f"no file {name}.*{names}"):
        find_recipe(Path(name))
