# SPDX-License-Identifier: Apache-2.0
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from hmr_ros.core.settings import load_toml, updated
from hmr_ros.evaluation.ablation.pose2mesh.report import Cost, lines, markdown
from hmr_ros.evaluation.ablation.pose2mesh.tables import TABLES, arms_of, check
from hmr_ros.evaluation.ablation.pose2mesh.testing import TestErrors, stored_errors
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.recipe_files import find_recipe

CLIPS = np.repeat(["a", "b", "c"], 4)
PAPER = TrainConfig(recipe="paper")


@pytest.mark.parametrize("name", ["ablation_pose2mesh", "pose2mesh_paper"])
@pytest.mark.parametrize("table", TABLES)
def test_every_row_is_another_recipe(table, name):
    config = load_toml(find_recipe(Path(name)), TrainConfig)
    check(config)
    changed = [arm.of(config) for arm in arms_of(table, config)]
    assert len(set(map(repr, changed))) == len(changed) > 1
    assert config in changed, "one row is the recipe as it is"
    assert len({arm.file_name for arm in arms_of(table, config)}) == len(changed)


def test_only_what_posenet_does_not_depend_on_shares_it():
    shared = {table: [arm.shares_posenet for arm in arms] for table, arms in TABLES.items()}
    assert all(shared["cells"])
    assert all(shared["route"])
    assert shared["errors"] == [True, False]
    assert shared["poses"] == [False, False, False, True]


def test_data_sets_are_added_one_by_one():
    config = updated(PAPER, {"data.human36m": 0.5, "data.coco": 0.3, "data.motion": 0.2})
    arms = arms_of("data", config)
    assert [arm.name for arm in arms] == ["human36m", "human36m + coco", "human36m + coco + motion"]
    weights = [(c.data.human36m, c.data.coco, c.data.motion) for c in (arm.of(config) for arm in arms)]
    assert weights == [(0.5, 0.0, 0.0), (0.5, 0.3, 0.0), (0.5, 0.3, 0.2)]
    with pytest.raises(ValueError, match="two data sets"):
        arms_of("data", updated(PAPER, {"data.coco": 1.0}))


@pytest.mark.parametrize("changed", [{"recipe": "compact"}, {"paper.target": "smpl"}, {"paper.errors": "none"}])
def test_a_recipe_that_is_changed_already_is_refused(changed):
    with pytest.raises(ValueError, match="recipe = 'paper' with the published"):
        check(updated(PAPER, changed))


def errors(worse: float) -> dict[str, TestErrors]:
    base = np.random.default_rng(0).gamma(2, 30, 12)
    return {"2D: true": TestErrors({"MPJPE": base + worse, "PA-MPJPE": base / 2 + worse}, CLIPS)}


def test_rows_are_compared_with_the_first_on_the_same_people():
    arms = TABLES["cells"][:2]
    costs = [Cost(8_800_000, 171.4, 90.0), Cost(17_300_000, 1.0, 2.0)]
    found = lines(arms, costs, [[errors(0), errors(1)], [errors(2), errors(5)]])
    assert [line.people for line in found] == [12, 12]
    assert found[1].figures["MPJPE"].worse.mean == pytest.approx(3)
    assert found[1].figures["MPJPE"].each == pytest.approx((2, 4))
    text = markdown(found)
    assert text.startswith("2D: true, 12 people:")
    assert "| vertices, graph | 8.80 M | 171 | 90 | 64.9, 48.6 |" in text
    assert text.endswith("| +2.0, +4.0 |")


@dataclass(frozen=True)
class Counted:
    """A test that counts how often it is made."""

    key: str
    found: dict[str, TestErrors]
    made: list[str] = field(default_factory=list)

    def errors(self, *_) -> dict[str, TestErrors]:
        self.made.append(self.key)
        return self.found


def test_errors_are_kept_for_each_test(tmp_path):
    kept = errors(1)
    first, second = Counted("synthetic", kept), Counted("3dpw", {"3dpw": kept["2D: true"]})
    for tests in ([first], [first, second], [first, second]):
        again = stored_errors(tests, tmp_path / "last.pt", PAPER, None)
    assert (first.made, second.made) == (["synthetic"], ["3dpw"])
    assert again.keys() == {"2D: true", "3dpw"}
    np.testing.assert_array_equal(again["2D: true"].values["PA-MPJPE"], kept["2D: true"].values["PA-MPJPE"])
    assert again["2D: true"].persons.tolist() == CLIPS.tolist()
