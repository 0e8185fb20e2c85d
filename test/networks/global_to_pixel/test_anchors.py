# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from hmr_ros.core.skeleton import COCO17, COCO_FEET, SMPL
from hmr_ros.networks.global_to_pixel.anchors import HIGHEST, LOWEST, KeypointAnchors, anchor_weights


@pytest.fixture(scope="module")
def anchors() -> KeypointAnchors:
    return KeypointAnchors(COCO_FEET)


def test_weights_find_the_joints_of_the_body_at_rest(body):
    keypoints = body.regressor("coco_feet") @ body.v_template
    joints = body.J_regressor @ body.v_template
    error = np.linalg.norm((anchor_weights(COCO_FEET) @ keypoints - joints)[:, :2], axis=1)
    assert error.max() < 0.05, dict(zip(SMPL.joints, error.round(3), strict=True))


def test_weights_sum_to_one_where_the_set_has_the_keypoints():
    np.testing.assert_allclose(anchor_weights(COCO_FEET).sum(1), 1, atol=1e-6)
    lacking = [SMPL.joints[k] for k in np.flatnonzero(anchor_weights(COCO17).sum(1) == 0)]
    assert lacking == ["left_foot", "right_foot"]


def test_keypoints_win_over_the_projection(anchors):
    keypoints, projected = torch.rand(2, 21, 3) + 0.01, torch.rand(2, 24, 2)
    expected = torch.from_numpy(anchor_weights(COCO_FEET)) @ keypoints[..., :2]
    found = anchors(keypoints, projected)
    torch.testing.assert_close(found.places, expected.clamp(LOWEST, HIGHEST))
    assert (found.score > 0).all()


def test_a_missing_keypoint_leaves_its_joints_to_the_projection(anchors):
    keypoints, projected = torch.rand(1, 21, 3) + 0.01, torch.rand(1, 24, 2)
    keypoints[0, COCO_FEET.index("left_wrist")] = torch.tensor([1e6, -1e6, 0.0])  # its place means nothing
    found = anchors(keypoints, projected)
    missing = found.score[0] == 0
    assert [SMPL.joints[k] for k in missing.nonzero()[:, 0]] == ["left_wrist", "left_hand"]
    torch.testing.assert_close(found.places[0, missing], projected[0, missing])


def test_without_any_keypoints_all_are_projected_and_clamped(anchors):
    projected = 10 * torch.randn(2, 24, 2)
    found = anchors(torch.zeros(2, 21, 3), projected)
    torch.testing.assert_close(found.places, projected.clamp(LOWEST, HIGHEST))
    assert not found.score.any()


def test_autocast_does_not_round_places(anchors):
    keypoints, projected = torch.rand(2, 21, 3) + 0.01, torch.rand(2, 24, 2)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = anchors(keypoints, projected)
    torch.testing.assert_close(rounded, anchors(keypoints, projected))
