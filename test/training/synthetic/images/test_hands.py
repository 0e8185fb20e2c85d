# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.body.hand_model import load_hand_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.training.synthetic.hands import HandMix, HandSampler
from hmr_ros.training.synthetic.images import hands as module
from hmr_ros.training.synthetic.images.hands import SIDE_PX, HandPainter
from hmr_ros.training.synthetic.images.scene.backgrounds import Backgrounds

HAND, BODY = (load(models_dir() / name) for load, name in
              ((load_hand_model, "open_hand.npz"), (load_body_model, "open_body.npz")))  # fmt: skip
SAMPLER = HandSampler(HAND, HandMix())


class Grey(Backgrounds):
    """The same grey everywhere."""

    def __init__(self) -> None:
        pass

    def sample(self, rng: np.random.Generator, height: int, width: int) -> np.ndarray:
        return np.full((height, width, 3), 90, np.uint8)


def painted(monkeypatch: pytest.MonkeyPatch, count: int, arm: float, seed: int = 0):
    """Images by a perfect sensor before grey, the cameras and the hands."""
    monkeypatch.setattr(module, "_WITH_ARM", arm)
    monkeypatch.setattr(module, "expose", lambda image, mix, rng: image)
    rng = np.random.default_rng(seed)
    draws = SAMPLER.draw(rng, count)
    placed = SAMPLER.placed(draws)
    images, cameras = HandPainter(HAND, BODY, Grey()).paint(rng, draws, placed)
    return np.stack(images), cameras, placed


def test_the_hand_is_where_its_joints_are_and_within_the_image(monkeypatch: pytest.MonkeyPatch):
    images, cameras, placed = painted(monkeypatch, 6, arm=0)
    for image, camera, joints in zip(images, cameras, placed.joints, strict=True):
        covered = (image != 90).any(-1)
        pixels = joints @ camera.K.T
        columns, rows = np.rint(pixels[:, :2] / pixels[:, 2:]).astype(int).T
        assert (rows.clip(0, SIDE_PX - 1) == rows).all()
        assert (columns.clip(0, SIDE_PX - 1) == columns).all()
        assert covered[rows, columns].mean() > 0.9
        assert 0.01 < covered.mean() < 0.4


def test_a_forearm_continues_the_hand_beyond_the_wrist(monkeypatch: pytest.MonkeyPatch):
    alone, cameras, placed = painted(monkeypatch, 6, arm=0)
    with_arm, _, _ = painted(monkeypatch, 6, arm=1)
    longer = 0
    for a, b, camera, joints in zip(alone, with_arm, cameras, placed.joints, strict=True):
        added = (b != 90).any(-1) & ~(a != 90).any(-1)
        if added.sum() < 200:
            continue  # seen along the arm
        wrist, knuckle = ((camera.K @ joints[k])[:2] / joints[k, 2] for k in (0, 9))
        rows, columns = added.nonzero()
        longer += (np.stack([columns, rows], 1).mean(0) - wrist) @ (knuckle - wrist) < 0
    assert longer >= 4


def test_the_same_generator_paints_the_same(monkeypatch: pytest.MonkeyPatch):
    first, second = (painted(monkeypatch, 2, arm=0.5, seed=3)[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_hand_that_is_on_no_body_is_refused():
    with pytest.raises(ValueError, match=r"open_hand\.npz"):
        HandPainter(dataclasses.replace(HAND, body_vertices=None), BODY, Grey())
