# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from hmr_ros.core.geometry.camera import looking_at
from hmr_ros.core.geometry.crop_view import CROP_ASPECT
from hmr_ros.networks.global_to_pixel.crop_camera import (
    NEAREST,
    camera_features,
    crop_translation,
    optical_from_crop,
    to_crop_units,
)


@pytest.fixture(scope="module")
def cameras() -> torch.Tensor:
    """(50, 3) boxes anywhere in a wide image, near and far."""
    rng = np.random.default_rng(0)
    normalized, angle = rng.uniform(-1.5, 1.5, (50, 2)), np.exp(rng.uniform(-3, 0.5, (50, 1)))
    return torch.from_numpy(np.concatenate([normalized, angle], 1).astype(np.float32))


def test_turns_as_the_reference_does(cameras):
    direction = np.concatenate([cameras[:, :2], np.ones((50, 1))], 1)
    expected = looking_at(direction).transpose(0, 2, 1)
    np.testing.assert_allclose(optical_from_crop(cameras), expected, atol=1e-6)


def test_the_middle_of_the_box_is_on_the_axis(cameras):
    on_axis = torch.tensor([0.0, 0.0, 3.0]).expand(50, 1, 3)
    torch.testing.assert_close(to_crop_units(on_axis, cameras), torch.full((50, 1, 2), 0.5), atol=1e-4, rtol=0)


def test_projects_as_the_true_camera_does(cameras):
    """The crop is cut from the true image: crop units are pixels of the unturned camera, shifted and scaled."""
    points = torch.rand(50, 7, 3) - 0.5 + torch.tensor([0.0, 0.0, 3.0])
    seen = to_crop_units(points, cameras)
    for i, (ray_x, ray_y, angle) in enumerate(cameras.tolist()):
        x, y, z = looking_at(np.array([ray_x, ray_y, 1.0])).T @ points[i].double().numpy().T
        z = np.maximum(z, NEAREST)
        expected = np.stack([(x / z - ray_x) / (angle * CROP_ASPECT), (y / z - ray_y) / angle], 1) + 0.5
        np.testing.assert_allclose(seen[i], expected, rtol=1e-3, atol=1e-3)


def test_a_body_of_two_over_s_metres_fills_the_box():
    camera = torch.tensor([[0.0, 0.0, 0.4]])
    place = crop_translation(torch.tensor([[0.8, 0.1, -0.2]]), camera)
    torch.testing.assert_close(place, torch.tensor([[0.1, -0.2, 2 / (0.8 * 0.4)]]))
    ends = torch.stack([place - torch.tensor([0.0, 1.25, 0.0]), place + torch.tensor([0.0, 1.25, 0.0])], 1)
    seen = to_crop_units(ends, camera)
    torch.testing.assert_close(seen[0, 1, 1] - seen[0, 0, 1], torch.tensor(1.0))


def test_what_makes_no_sense_stays_finite():
    camera = torch.tensor([[0.3, -0.3, 0.4]])
    place = crop_translation(torch.tensor([[-1.0, 0.0, 0.0]]), camera)
    behind = torch.tensor([[[0.0, 0.0, -2.0]]])
    assert (place[:, 2] > 0).all()
    assert to_crop_units(behind, camera).isfinite().all()
    assert camera_features(torch.zeros(1, 3)).isfinite().all()
