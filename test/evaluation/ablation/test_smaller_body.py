# SPDX-License-Identifier: Apache-2.0
"""A made body stands for SMPL here: a ball of a few rings that hangs from 24 joints."""

import dataclasses

import numpy as np
import pytest

from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.skeleton import HUMAN36M
from hmr_ros.evaluation.ablation.pose2mesh.smaller_body import write_smaller_body

RINGS, AROUND = 12, 16


@pytest.fixture(scope="module")
def body() -> BodyModel:
    rng = np.random.default_rng(0)
    polar, azimuth = np.meshgrid(np.linspace(0, np.pi, RINGS + 2)[1:-1], np.arange(AROUND) * 2 * np.pi / AROUND)
    rings = np.stack([np.sin(polar) * np.cos(azimuth), np.cos(polar), np.sin(polar) * np.sin(azimuth)], -1)
    vertices = np.concatenate([rings.swapaxes(0, 1).reshape(-1, 3), [[0, 1, 0], [0, -1, 0]]])
    count, (top, bottom) = len(vertices), (len(vertices) - 2, len(vertices) - 1)
    square = [(r * AROUND + a, r * AROUND + (a + 1) % AROUND) for r in range(RINGS) for a in range(AROUND)]
    faces = [(a, b, b + AROUND) for a, b in square[:-AROUND]] + [
        (a, b + AROUND, a + AROUND) for a, b in square[:-AROUND]
    ]
    faces += [(top, b, a) for a, b in square[:AROUND]] + [(bottom, a, b) for a, b in square[-AROUND:]]
    weights = np.exp(-4 * np.abs(vertices[:, 1:2] - np.linspace(-1, 1, 24)))
    regressor = np.exp(-20 * np.abs(vertices[:, 1] - np.linspace(-1, 1, 24)[:, None]))
    rows = regressor / regressor.sum(1, keepdims=True)
    side = np.array([("left" in joint) - ("right" in joint) for joint in HUMAN36M.joints])
    sided = regressor[:17] * np.exp(3 * side[:, None] * vertices[:, 0])
    keypoints = (sided / sided.sum(1, keepdims=True)).astype(np.float32)
    return BodyModel(
        v_template=vertices.astype(np.float32),
        faces=np.array(faces, np.int32),
        shapedirs=(vertices[:, :, None] * rng.normal(0, 0.05, 10)).astype(np.float32),
        posedirs=np.zeros((count, 3, 207), np.float32),
        J_regressor=rows.astype(np.float32),
        weights=(weights / weights.sum(1, keepdims=True)).astype(np.float32),
        sha256="made",
        keypoint_regressors={"human36m": keypoints, "coco17": keypoints[::-1]},
    )


def test_a_smaller_body_has_the_joints_and_keypoints_of_the_whole(body, tmp_path):
    small = write_smaller_body(body, 80, tmp_path / "out" / "body.npz")
    assert small.vertex_count == 80
    assert len(small.faces) == 2 * 80 - 4, "a closed surface"
    assert np.isin(small.v_template, body.v_template).all()
    rng = np.random.default_rng(1)
    pose, betas, still = rng.normal(0, 0.1, (5, 23, 3)), rng.normal(0, 1, (5, 10)), np.zeros((5, 3))
    whole, part = (model.posed(still, pose, betas, still) for model in (body, small))
    np.testing.assert_allclose(part.joints, whole.joints, atol=0.02)
    keypoints = body.regressor("human36m") @ whole.vertices
    np.testing.assert_allclose(small.regressor("human36m") @ part.vertices, keypoints, atol=0.02)


def test_it_is_written_once(body, tmp_path):
    first = write_smaller_body(body, 80, tmp_path / "body.npz")
    assert write_smaller_body(None, 80, tmp_path / "body.npz").sha256 == first.sha256


def test_a_surface_that_cannot_be_so_coarse_is_refused(body, tmp_path):
    torn = dataclasses.replace(body, faces=body.faces[::2])
    with pytest.raises(ValueError, match=r"--vertices: this body keeps \d+ vertices at least, got 20"):
        write_smaller_body(torn, 20, tmp_path / "body.npz")
    assert not (tmp_path / "body.npz").exists()
