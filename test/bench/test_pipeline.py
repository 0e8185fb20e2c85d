# SPDX-License-Identifier: Apache-2.0
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from hmr_ros.bench import pipeline
from hmr_ros.bench.protocol import Options
from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.evaluation.crowd import CAMERA


@pytest.fixture
def contenders(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[float]]:
    """Contenders who see two people at once; the stamps of the images that each has seen."""
    stamps: dict[str, list[float]] = {"fast": [], "balanced": [], "mediapipe": []}

    @contextmanager
    def opened(name: str, camera: object):
        yield lambda image, stamp_s: stamps[name].append(stamp_s) or 2

    monkeypatch.setattr(pipeline, "_opened", opened)
    monkeypatch.setattr(pipeline, "_contenders", lambda: list(stamps))
    monkeypatch.setattr(pipeline, "crowd_image", lambda body_model, people: np.zeros((4, 6, 3), np.uint8))
    monkeypatch.setattr(pipeline, "RATE_HZ", 1e5)
    return stamps


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    for k in range(3):
        cv2.imwrite(str(tmp_path / f"{k}.png"), np.full((8, 8, 3), k, np.uint8))
    return tmp_path


@pytest.mark.parametrize(("module", "competes"), [({"solutions": None}, True), ({}, False), (None, False)])
def test_mediapipe_competes_where_it_has_a_pipeline(
    module: dict[str, None] | None, competes: bool, monkeypatch, capsys
):
    """From some release on it has none that works without a download, and is named."""
    monkeypatch.setitem(sys.modules, "mediapipe", None if module is None else SimpleNamespace(**module))
    assert (pipeline.MEDIAPIPE in pipeline._contenders()) == competes
    assert ("pip install mediapipe==" in capsys.readouterr().err) == (module == {})


def test_every_contender_sees_the_same_images(contenders: dict[str, list[float]], clip: Path):
    row = pipeline.run(Options(1, quick=True, source=clip))
    assert contenders["fast"] == contenders["balanced"] == contenders["mediapipe"]
    assert len(contenders["fast"]) == 3 * pipeline.QUICK_IMAGES + 3
    assert row["figures"]["balanced, the clip: people seen"] == 2
    assert set(row["medians_ms"]) >= {"fast, 1 person", "mediapipe, the clip", "balanced, 8 people"}
    assert {goal for goal in row["goals"] if "MediaPipe" in goal} == {
        "fast: at most 1 times MediaPipe",
        "balanced: at most 1.5 times MediaPipe",
    }


def test_a_clip_without_images_is_named(contenders: dict[str, list[float]], tmp_path: Path):
    (tmp_path / "0.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=str(tmp_path)):
        pipeline.run(Options(1, quick=True, source=tmp_path))


def test_tails_and_crowds_are_held_against_one_person():
    medians = {f"{p}, {s}": 10.0 for p in pipeline.PRESETS for s in ("1 person", "8 people")}
    figures = {f"{p}, 1 person: p99, ms": 14.0 for p in pipeline.PRESETS}
    assert all(pipeline._goals(medians, figures).values())
    missed = pipeline._goals(medians | {"fast, 8 people": 31.0, "mediapipe, 1 person": 9.0}, figures)
    assert [goal for goal, met in missed.items() if not met] == [
        "fast: 8 people at most 3 times 1 person",
        "fast: at most 1 times MediaPipe",
    ]


@pytest.mark.slow
def test_the_pipeline_sees_the_rendered_people():
    body_model = load_body_model(models_dir() / "open_body.npz")
    images = pipeline._swaying(pipeline.crowd_image(body_model, 4), 8)
    with pipeline._opened("balanced", CAMERA) as see:
        assert pipeline._watched(see, images).people == 4
