# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.body.skin_parts import SkinParts
from hmr_ros.core.body.skinning import Skin, chained_joints, transformed, world_rotations
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.manifest import models_dir

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def skin() -> Skin:
    return load_body_model(models_dir() / "open_body.npz").skin


def few_vertices(skin: Skin) -> Skin:
    return skin.subset(np.arange(0, skin.template.shape[1], 9))


@pytest.mark.parametrize("people", [0, 1, 5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_vertices_are_those_of_the_whole_skin(skin, people, dtype):
    some = few_vertices(skin)
    some = Skin(some.template.astype(dtype), some.directions.astype(dtype), some.weights.astype(dtype))
    rotations = rotvec_to_rotmat(RNG.normal(0, 0.6, (people, 24, 3)).astype(dtype))
    betas, rest = RNG.normal(size=(people, 10)).astype(dtype), RNG.normal(size=(people, 24, 3)).astype(dtype)
    world = world_rotations(rotations)
    joints = chained_joints(world, rest)
    whole = transformed(some.blended(world, joints, rest), some.unposed(betas, rotations)).transpose(0, 2, 1)
    parts = SkinParts(some).posed(betas, rotations, world, joints, rest)
    assert parts.dtype == dtype
    assert_allclose(parts, whole, atol=1e-5 if dtype == np.float32 else 1e-13)


def test_every_vertex_is_in_one_part_with_all_that_moves_it(skin):
    parts = SkinParts(skin).parts
    assert 1 < len(parts) < 24
    assert_array_equal(np.sort(np.concatenate([part.vertices for part in parts])), np.arange(skin.template.shape[1]))
    work = sum(part.directions.size for part in parts)
    assert work < 0.4 * skin.directions.size
    for part in parts:
        left_out = np.setdiff1d(np.arange(len(skin.directions)), part.coefficients)
        assert not skin.directions[left_out][..., part.vertices].any()
        assert_allclose(part.weights.sum(0), 1, atol=1e-6)


def test_directions_without_zeros_are_one_part(skin):
    dense = dataclasses.replace(few_vertices(skin), directions=few_vertices(skin).directions + np.float32(1e-3))
    assert len(SkinParts(dense).parts) == 1
