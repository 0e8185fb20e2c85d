# SPDX-License-Identifier: Apache-2.0
from dataclasses import dataclass

import numpy as np
import pytest

from hmr_ros.core.body.body_model import BodyModel, load_body_model
from hmr_ros.core.body.hand_model import HandModel, load_hand_model
from hmr_ros.core.manifest import models_dir


@dataclass(frozen=True)
class Parameters:
    """Bodies to pose, float64: the arguments of BodyModel.posed."""

    global_orient: np.ndarray
    body_pose: np.ndarray
    betas: np.ndarray
    cam_t: np.ndarray


def random_parameters(people: int, seed: int = 0, bend: float = 0.35) -> Parameters:
    """Plausible random bodies in front of a camera; ``bend`` rad is the standard deviation of every joint axis."""
    rng = np.random.default_rng(seed)
    pose = bend * rng.normal(size=(people, 23, 3))
    pose[:, 9:] *= 1.5  # limbs of the upper body and the head move more than the spine
    pose[:, [21, 22]] = 0  # the open body's hands are fixed
    return Parameters(
        1.5 * rng.normal(size=(people, 3)),
        pose,
        np.concatenate([0.4 * rng.normal(size=(people, 1)), rng.normal(size=(people, 9))], 1),
        rng.uniform((-1, -1, 2), (1, 1, 6), (people, 3)),
    )


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def body() -> BodyModel:
    return load_body_model(models_dir() / "open_body.npz")


@pytest.fixture(scope="session")
def exact_body() -> BodyModel:
    return load_body_model(models_dir() / "open_body.npz", np.float64)


@pytest.fixture(scope="session")
def exact_hand() -> HandModel:
    """The open hand, right."""
    return load_hand_model(models_dir() / "open_hand.npz", np.float64)
