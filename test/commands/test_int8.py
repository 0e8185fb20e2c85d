# SPDX-License-Identifier: Apache-2.0
"""`hmr int8`: what it calibrates and compares on, and that it refuses what is too far from fp32."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")

import hmr_ros.export.int8 as export_int8
from hmr_ros.cli import main
from hmr_ros.commands import int8
from hmr_ros.core.manifest import load_manifest, models_dir
from hmr_ros.evaluation.parity.quantities import Distance, Gate, Quantity

PHOTOS = Path(__file__).parents[1] / "data" / "photos"


def test_calibrating_images_are_of_one_shape_and_not_those_of_the_comparison() -> None:
    images = [image for image, _ in int8.calibrating_images()]
    assert len(images) == 4 * (int8.CALIBRATING[2] + 3)
    assert {image.shape for image in images} == {(720, 1280, 3)}
    assert int8.CALIBRATING[1] < int8.COMPARING[0]


def test_batches_become_rows() -> None:
    batch = np.arange(6).reshape(3, 2)
    rows = int8.rows([{"x": batch, "y": 10 * batch}, {"x": batch[:1], "y": batch[:1]}])
    assert [row["x"].shape for row in rows] == [(1, 2)] * 4
    np.testing.assert_array_equal(rows[2]["y"], 10 * batch[2:3])


def test_images_of_a_directory() -> None:
    images = list(int8.read_images(PHOTOS))
    assert len(images) == len(list(PHOTOS.glob("*.jpg")))
    for image, camera in images:
        assert image.shape == (camera.height, camera.width, 3)


def test_a_directory_without_images_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no images there \(.bmp, .jpeg"):
        list(int8.read_images(tmp_path))


def test_what_is_too_far_off_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("nanodet.json", "nanodet.onnx"):
        (tmp_path / name).write_bytes((models_dir() / name).read_bytes())
    boxes = Quantity("boxes", "px", lambda outputs: outputs["x"], Gate(mean=1.0, max=5.0))
    monkeypatch.setattr(int8, "recorded_inputs", lambda path, images: [])
    monkeypatch.setattr(int8, "clip_images", lambda *_: [])
    monkeypatch.setattr(export_int8, "to_int8", lambda model, inputs: model)
    monkeypatch.setattr(int8, "compare", lambda *_: [Distance(boxes, mean=0.5, max=5.1)])
    assert main(["int8", str(tmp_path / "nanodet.json")]) == 1
    assert "refused, too far from fp32: boxes 0.5 (max 5.1) px" in capsys.readouterr().out
    assert not (tmp_path / "nanodet_int8.json").exists()

    monkeypatch.setattr(int8, "compare", lambda *_: [Distance(boxes, mean=0.5, max=4.9)])
    assert main(["int8", str(tmp_path / "nanodet.json")]) == 0
    written = load_manifest(tmp_path / "nanodet_int8.json")
    assert written.metrics == {"from_fp32_boxes_mean_px": 0.5, "from_fp32_boxes_max_px": 4.9}
    assert written.provenance["precision"] == "int8"
    assert written.provenance["source_sha256"] == load_manifest(models_dir() / "nanodet.json").sha256


@pytest.mark.slow
def test_the_shipped_model_is_made_again(tmp_path: Path) -> None:
    for name in ("nanodet.json", "nanodet.onnx"):
        (tmp_path / name).write_bytes((models_dir() / name).read_bytes())
    assert main(["int8", str(tmp_path / "nanodet.json"), "--images", str(PHOTOS)]) == 0
    shipped, made = (load_manifest(where / "nanodet_int8.json") for where in (models_dir(), tmp_path))
    assert made.metrics["from_fp32_boxes_mean_px"] == pytest.approx(shipped.metrics["from_fp32_boxes_mean_px"], abs=0.2)
