# SPDX-License-Identifier: Apache-2.0
import cv2
import pytest

from hmr_ros.cli import main
from test.training.datasets import made
from test.training.real.made_root import write_root


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    write_root(root)
    return root


def lines(text: str) -> dict[tuple[str, str], str]:
    return {tuple(line.split()[:2]): " ".join(line.split()[2:]) for line in text.splitlines()}


def test_what_is_there_is_told_and_drawn(root, tmp_path, capsys):
    sheet, body = tmp_path / "sheet.png", str(root / "smpl.npz")
    models = ["--body", body, "--body-male", body]
    assert main(["data", "check", str(root), *models, "--sheet", str(sheet)]) == 1, "Human3.6M has no images"
    found = lines(capsys.readouterr().out)
    coco = "coco2014part_cliffGT.npz; 8 people in 8 images, 8 with SMPL parameters, 0 with measured joints"
    assert found["coco", "train"] == f"{coco}; no image missing; 8 of 8 fits looked at pass the filters"
    assert "6 people in 6 images, 4 with SMPL parameters, 6 with measured joints" in found["mpi_inf_3dhp", "train"]
    assert "0 with SMPL parameters, 4 with measured joints; no image missing" in found["mpi_inf_3dhp", "test"]
    assert "6 images missing, the first is s11_0.jpg" in found["human36m", "p1"]
    assert found["3dpw", "validation"] == "-"
    image = cv2.imread(str(sheet))
    assert image.shape == (5 * 320, 6 * 240, 3), "coco, mpii, mpi_inf_3dhp, two of 3dpw"
    assert (image[:320, :, 0].astype(int) - image[:320, :, 2] > 30).mean() > 0.05, "meshes are blue"


def test_broken_files_are_told_and_do_not_hide_the_others(tmp_path, capsys):
    people = made.people(["a.jpg", "b.jpg"])
    made.write_cliff(tmp_path / "mpii" / "mpii_cliffGT.npz", people)
    made.write_images(people, tmp_path / "mpii")
    assert main(["data", "check", str(tmp_path)]) == 0
    (tmp_path / "coco").mkdir()
    (tmp_path / "coco" / "COCO2014-All-ver01.json").write_text("{}")
    (tmp_path / "mpii" / "b.jpg").write_bytes(b"none")
    assert main(["data", "check", str(tmp_path)]) == 1
    assert "b.jpg: not an image that OpenCV reads" in capsys.readouterr().out
    made.write_cliff(tmp_path / "mpii" / "mpii_cliffGT.npz", people)
    (tmp_path / "mpii" / "b.jpg").unlink()
    assert main(["data", "check", str(tmp_path)]) == 1
    found = lines(capsys.readouterr().out)
    assert "COCO2014-All-ver01.json: not in the expected layout: it lacks 'data'" in found["coco", "train"]
    assert "1 images missing, the first is b.jpg; 1 of 1 fits" in found["mpii", "train"]


def test_an_empty_or_absent_directory_is_no_success(tmp_path, capsys):
    assert main(["data", "check", str(tmp_path)]) == 1
    assert main(["data", "check", str(tmp_path / "absent")]) == 1
    assert "absent: no such directory" in capsys.readouterr().err
    assert main(["data", "check", str(tmp_path), "--sheet", str(tmp_path / "x.png")]) == 1
    assert "there is nothing to draw" in capsys.readouterr().err
