# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from hmr_ros.core.geometry import virtual_camera as reference
from hmr_ros.core.geometry.crop_view import CROP_ASPECT
from hmr_ros.networks.global_to_pixel.config import GlobalToPixelConfig
from hmr_ros.networks.global_to_pixel.crop_camera import optical_from_crop
from hmr_ros.networks.global_to_pixel.lifting import KeypointLifting, to_virtual_camera


@pytest.fixture(scope="module")
def seen() -> tuple[torch.Tensor, torch.Tensor]:
    """(40, 21, 3) keypoints, some missing, of the last ten people nearly all; (40, 3) cameras."""
    rng = np.random.default_rng(0)
    keypoints = rng.uniform(-0.2, 1.2, (40, 21, 3)).astype(np.float32)
    keypoints[..., 2] *= rng.random((40, 21)) < 0.8
    keypoints[30:, 4:, 2] = 0
    camera = np.concatenate([rng.uniform(-1, 1, (40, 2)), rng.uniform(0.05, 1.2, (40, 1))], 1)
    return torch.from_numpy(keypoints), torch.from_numpy(camera.astype(np.float32))


def test_sees_keypoints_as_the_robot_does_for_pose2mesh(seen):
    keypoints, camera = seen
    angle = camera[:, None, 2:] * torch.tensor([CROP_ASPECT, 1.0])
    normalized = camera[:, None, :2] + (keypoints[..., :2] - 0.5) * angle
    score = keypoints[..., 2].clamp(min=0)
    expected = reference.to_virtual_camera(normalized.numpy(), score.numpy())
    keypoints = torch.cat([keypoints[..., :2], score[..., None]], 2)
    actual = to_virtual_camera(keypoints, camera)
    np.testing.assert_array_equal(actual.ok[:, 0] > 0, expected.ok)
    assert 0 < expected.ok.sum() < 40
    np.testing.assert_allclose(actual.keypoints, expected.keypoints, atol=1e-4)
    np.testing.assert_allclose(actual.context, expected.context, atol=1e-5)
    optical = (optical_from_crop(camera) @ actual.crop_from_virtual)[expected.ok]
    np.testing.assert_allclose(optical, expected.optical_from_virtual[expected.ok], atol=1e-5)


@torch.no_grad()
def test_too_few_keypoints_say_nothing(seen):
    lifting = KeypointLifting(GlobalToPixelConfig(lifting_width=16, lifting_blocks=1)).eval()
    lifted = lifting(seen[0].clamp(min=0), seen[1])
    assert not lifted.hidden[30:].any()
    assert not lifted.joints[30:].any()
    assert lifted.joints[:20].abs().sum() > 0
