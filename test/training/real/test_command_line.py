# SPDX-License-Identifier: Apache-2.0
"""From made data sets in the official layouts to an exported network, by the command line alone."""

import json
from pathlib import Path

import pytest

from hmr_ros.cli import main
from test.training.real.made_root import write_root

TINY = {
    "compact": "[compact]\nwidth = 16\nblocks = 1\n",
    "paper": '[paper]\njoint_set = "human36m"\n',
    "global_to_pixel": (
        "[global_to_pixel]\nglobal_width = 16\nwidth = 16\nlayers = 1\nheads = 2\npoints = 1\npixel_width = 8\n"
        "lifting_width = 16\nlifting_blocks = 1\n[crops]\nwithout_image = 1.0\n"
    ),
}
STAGES = {"global_to_pixel": ("local", "images")}
DATA = {
    "compact": "coco = 1.0\nthreedpw = 1.0\n",
    "paper": "human36m = 0.5\ncoco = 0.3\nmpi_inf_3dhp = 0.2\n",
    "global_to_pixel": "coco = 0.4\nmpii = 0.2\nmpi_inf_3dhp = 0.2\nthreedpw = 0.2\n",
}
PROTOCOLS = {"compact": "3dpw", "paper": "human36m-p2", "global_to_pixel": "mpi-inf-3dhp"}


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write_root(root)
    return root


def write_config(path: Path, root: Path, recipe: str) -> Path:
    stages = "".join(
        f"[{stage}]\nsteps = 1\nbatch_size = 6\nwarmup = 0\n" for stage in STAGES.get(recipe, ("lift", "mesh"))
    )
    path.write_text(
        f'recipe = "{recipe}"\n[run]\nmotion = ""\nbody = "{root / "smpl.npz"}"\nworkers = 0\ndevice = "cpu"\n'
        f'validation_people = 4\n[data]\nroot = "{root}"\nbody_male = "{root / "smpl.npz"}"\n'
        f"{DATA[recipe]}{TINY[recipe]}{stages}"
    )
    return path


@pytest.mark.slow
@pytest.mark.parametrize("recipe", DATA)
def test_a_network_is_trained_evaluated_and_exported(tmp_path, root, recipe):
    config, run = write_config(tmp_path / "my.toml", root, recipe), tmp_path / "run"
    assert main(["train", str(config), "--out", str(run)]) == 0
    best, report = str(run / "best.pt"), tmp_path / "report.json"
    protocol = ["--protocol", PROTOCOLS[recipe], "--data", str(root), "--body-male", str(root / "smpl.npz")]
    assert main(["evaluate", best, *protocol, "--json", str(report)]) == 0
    rows = json.loads(report.read_text())["rows"]
    assert all(0 < row["errors"]["MPJPE"]["mean"] < 2000 for row in rows)
    export = ["export", best, "--out", str(tmp_path / "model")]
    assert main(export) == 1, "whose terms bind the weights?"
    assert main([*export, "--licence", "non-commercial research"]) == 0
    manifest = json.loads((tmp_path / "model.json").read_text())
    assert (manifest["body_model"], manifest["licence"]) == ("smpl", "non-commercial research")
    assert manifest["provenance"]["data_sets"].startswith(next(iter(DATA[recipe].split())))
