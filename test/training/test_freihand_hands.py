# SPDX-License-Identifier: Apache-2.0
import dataclasses
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmr_ros.core.body.hand_model import load_hand_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.training.datasets.freihand import read_freihand
from hmr_ros.training.freihand_hands import FreiHandSampler, freihand_sampler
from hmr_ros.training.synthetic.hands import HandMix
from test.training.datasets.made_freihand import CAMERA, write_freihand

HAND = load_hand_model(models_dir() / "open_hand.npz")
EXACT = HandMix(exact=1.0)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("freihand")
    write_freihand(root, HAND, 3)
    write_freihand(root, HAND, 2, "evaluation")
    return root


def test_samples_are_meshes_with_their_joints_in_the_image(root: Path):
    hands = freihand_sampler(root, "train", HAND, EXACT).sample(np.random.default_rng(0), 8)
    assert hands.vertices.shape == (8, 778, 3)
    assert_allclose(hands.normalized, hands.joints[..., :2] / hands.joints[..., 2:], atol=1e-5)
    assert_allclose(hands.exact, hands.normalized)
    assert (hands.score == 1).all()
    assert (hands.world == 0).all()
    people = read_freihand(root, "training", with_vertices=True)
    apart = np.linalg.norm(hands.vertices[:, None] - people.vertices[None], axis=-1).mean(-1)
    assert (apart.min(1) < 1e-5).all()
    pixels = hands.exact @ CAMERA[:2, :2] + CAMERA[:2, 2]
    assert_allclose(pixels, people.pixels[apart.argmin(1)], atol=0.01)


def test_errors_are_drawn_and_the_same_generator_draws_the_same(root: Path):
    sampler = freihand_sampler(root, "train", HAND, HandMix(exact=0))
    first, second = (sampler.sample(np.random.default_rng(1), 5) for _ in range(2))
    assert (first.normalized == second.normalized).all()
    off = np.linalg.norm(first.normalized - first.exact, axis=-1).mean(1)
    size = np.linalg.norm(np.ptp(first.exact, axis=1), axis=-1)
    assert ((off / size > 0.002) & (off / size < 0.4)).all()


def test_all_versions_train_and_the_evaluation_set_validates(root: Path):
    assert len(freihand_sampler(root, "train", HAND, EXACT)._people) == 12
    assert freihand_sampler(root, "val", HAND, EXACT)._people.image[0] == "evaluation/rgb/00000000.jpg"


def test_parameters_of_another_hand_model_are_refused_with_the_remedy(root: Path):
    people = read_freihand(root, "training")
    other = dataclasses.replace(HAND, mean_pose=np.full((15, 3), 0.3, np.float32))
    with pytest.raises(ValueError, match=r"mm off with this hand model; set freihand\.hand to MANO's right hand"):
        FreiHandSampler(people, other, EXACT)
    unknown = dataclasses.replace(people, pose=np.full_like(people.pose, np.nan))
    with pytest.raises(ValueError, match=r"MANO's parameters are absent; \*_mano\.json"):
        FreiHandSampler(unknown, HAND, EXACT)
