# SPDX-License-Identifier: Apache-2.0
from types import SimpleNamespace

import pytest
import torch

from hmr_ros.networks.body_model import rot6d_to_rotmat
from hmr_ros.networks.global_to_pixel import SmplState
from hmr_ros.networks.global_to_pixel.config import GlobalToPixelConfig
from hmr_ros.training.global_to_pixel_loss import GroundTruth
from hmr_ros.training.recipes import wrong_start as module
from hmr_ros.training.recipes.wrong_start import between_people, wrong_start


def ground_truth(people: int = 8) -> GroundTruth:
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(people, *shape, generator=generator)

    rotations = rot6d_to_rotmat(random(24, 6))
    unused = torch.zeros(people, 24, 2)
    camera = random(3).abs() + 0.5
    known = torch.ones(people)
    return GroundTruth(rotations, random(10), camera, random(24, 3), unused, unused, unused[..., 0], known)


@pytest.fixture
def truth() -> GroundTruth:
    return ground_truth()


def test_a_start_is_wrong_in_everything(truth):
    torch.manual_seed(0)
    start = between_people(truth)
    wrong = rot6d_to_rotmat(start.rot6d) - truth.rotations
    assert (wrong.abs().amax((2, 3)) > 1e-3).all(), "every joint of every person"
    assert (start.betas != truth.betas).all()
    assert (start.crop_cam != truth.crop_cam).all()


@pytest.mark.parametrize("wrong", [0.0, 1.0])
def test_it_lies_between_the_person_and_the_one_before(truth, monkeypatch, wrong):
    monkeypatch.setattr(torch, "rand", lambda *shape, device=None: torch.full(shape, wrong))
    start = between_people(truth)
    torch.testing.assert_close(rot6d_to_rotmat(start.rot6d), truth.rotations.roll(int(wrong), 0), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(start.betas, truth.betas.roll(int(wrong), 0))
    if wrong == 0:
        torch.testing.assert_close(start.crop_cam, truth.crop_cam)


def test_rotations_stay_rotations(truth):
    rotations = rot6d_to_rotmat(between_people(truth).rot6d)
    torch.testing.assert_close(rotations @ rotations.mT, torch.eye(3).expand_as(rotations), atol=1e-5, rtol=1e-5)


class Network:
    """The mean is zero; the decoder hands back the state. Corrected, everything is one more."""

    def __init__(self, start: str = "keypoints") -> None:
        self.config = GlobalToPixelConfig(start=start)

    def corrected(self, coarse: SmplState, keypoints: torch.Tensor, camera: torch.Tensor) -> SimpleNamespace:
        return SimpleNamespace(fine=SimpleNamespace(state=SmplState(*(part + 1 for part in coarse))))

    def mean(self, camera: torch.Tensor) -> SmplState:
        return SmplState(torch.zeros(len(camera), 24, 6), torch.zeros(len(camera), 10), torch.zeros(len(camera), 3))

    def decoder(self, state: SmplState, camera: torch.Tensor) -> SmplState:
        return state


class OneBatch:
    def __init__(self, truth: GroundTruth) -> None:
        self.ground_truth, self.camera = truth, torch.zeros(len(truth.betas), 3)
        self.keypoints = torch.zeros(len(truth.betas), 21, 3)


def test_a_network_that_starts_from_given_keypoints_meets_what_it_makes_of_them(monkeypatch):
    monkeypatch.setattr(module, "MEAN_STARTS", 0.0)
    start = wrong_start(Network("given"), OneBatch(ground_truth(4)))
    assert all((part == 1).all() for part in start)


@pytest.mark.parametrize("fraction", [0.0, 0.5, 1.0])
def test_a_fraction_of_the_starts_is_the_mean_body_whole(monkeypatch, fraction):
    torch.manual_seed(0)
    monkeypatch.setattr(module, "MEAN_STARTS", fraction)
    start = wrong_start(Network(), OneBatch(ground_truth(400)))
    mean = [(part == 0).flatten(1).all(1) for part in start]
    assert all((part == mean[0]).all() for part in mean), "rotations, shape and camera of one start belong together"
    assert mean[0].float().mean() == pytest.approx(fraction, abs=0.1)
