# SPDX-License-Identifier: Apache-2.0
"""Where people stand in each other's images, and that clothes cover them."""

import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.manifest import models_dir
from hmr_ros.training.synthetic.cameras import Views
from hmr_ros.training.synthetic.images.clothing.drapes import clothes_template
from hmr_ros.training.synthetic.images.rendering.raster import vertex_normals
from hmr_ros.training.synthetic.images.scene import figures as module
from hmr_ros.training.synthetic.images.scene.figures import Figures, dressed, gathered
from test.training.synthetic.draws import Draws

UPRIGHT = np.array([(0.1, 0, 0), (-0.1, 0, 0), (0, 1.7, 0.05), (0, 1.7, -0.05)])
"""A very slim person in the world: y up, on the floor y = 0."""


def people(count: int) -> tuple[Figures, Views]:
    """Each in front of a tilted camera of their own, at another place of the world."""
    rng = np.random.default_rng(0)
    rotation = rotvec_to_rotmat(rng.normal(0, 0.3, (count, 3))) @ np.diag([-1.0, -1, 1])
    translation = rng.normal(0, 0.3, (count, 3)) + (0, 1, 4)
    places = rng.normal(0, 0.5, (count, 1, 3)) * (1, 0, 1)
    world = UPRIGHT + places
    vertices = (world @ rotation.transpose(0, 2, 1) + translation[:, None]).astype(np.float32)
    K = np.tile(np.eye(3), (count, 1, 1))
    rows = np.arange(count, dtype=float)
    views = Views(rotation, translation, K, np.full((count, 2), 100))
    return Figures(vertices, vertices * 0.1, vertices, rows, rows), views


def in_world(vertices: np.ndarray, views: Views, camera: int) -> np.ndarray:
    return (vertices - views.translation[camera]) @ views.rotation[camera]


@pytest.mark.parametrize("seed", range(5))
def test_companions_stand_upright_on_the_subjects_floor_around_it(seed):
    figures, views = people(4)
    group = gathered(figures, views, 2, 3, np.random.default_rng(seed))
    np.testing.assert_array_equal(group.vertices[0], figures.vertices[2])
    assert group.cuts[0] == 2
    assert sorted(group.cuts) == sorted(set(group.cuts)), "nobody twice"
    subject = in_world(group.vertices[0], views, 2).mean(0)
    for companion, normals, row in zip(group.vertices[1:], group.normals[1:], group.cuts[1:].astype(int), strict=True):
        world = in_world(companion, views, 2)
        np.testing.assert_allclose(world[:, 1], UPRIGHT[:, 1], atol=1e-4)
        distance = np.hypot(*(world.mean(0) - subject)[[0, 2]])
        assert 0.2 < distance < 3.4
        before = figures.vertices[row] - figures.vertices[row].mean(0)
        turn = np.linalg.lstsq(before, companion - companion.mean(0), rcond=None)[0]
        np.testing.assert_allclose(normals, figures.normals[row] @ turn, atol=0.05)


def test_companions_are_as_many_as_asked_and_as_there_are():
    figures, views = people(3)
    assert len(gathered(figures, views, 0, 0, Draws(0.1)).vertices) == 1
    assert len(gathered(figures, views, 0, 1, Draws(0.1)).vertices) == 2
    assert len(gathered(figures, views, 0, 9, Draws(0.1)).vertices) == 3


@pytest.mark.parametrize(("nearest", "comes"), [(0.39, False), (0.41, True)])
def test_companions_keep_away_from_the_camera(monkeypatch, nearest, comes):
    figures, views = people(2)
    shift = np.array([0, 0, nearest - figures.vertices[1][:, 2].min()], np.float32)
    monkeypatch.setattr(module, "_placed", lambda *_: (np.eye(3, dtype=np.float32), shift))
    group = gathered(figures, views, 0, 1, np.random.default_rng(0))
    assert len(group.vertices) == 1 + comes
    assert len(group.rest) == len(group.materials) == 1 + comes


@pytest.mark.parametrize(
    ("fraction", "coins", "distance", "bearing"),
    [
        (0.5, (0.5, 0.4), 0.35 + 3 * 0.25, np.pi),  # lined up, behind the subject
        (0.25, (0.0, 0.4), 0.35, -0.4),
        (0.75, (1.0, 0.6), 3.35, np.pi / 2),
    ],
)
def test_half_of_the_companions_stand_in_line_with_the_camera(fraction, coins, distance, bearing):
    """Along the way the camera looks: a deviation of 0.4 rad about it; or anywhere around."""
    expected = distance * np.array([np.sin(bearing), 0, np.cos(bearing)])
    np.testing.assert_allclose(module._beside(Draws(fraction, coins)), expected, atol=1e-9)


def test_clothes_lie_outside_of_who_wears_them():
    body = load_body_model(models_dir() / "open_body.npz")
    template = clothes_template(body)
    naked = np.stack([body.v_template + (0, 0, 3)] * 2).astype(np.float32)
    figures = dressed(naked, template, np.random.default_rng(0))
    assert figures.vertices.shape == (2, *template.rest.shape)
    for person in range(2):
        skin = np.zeros(template.rest.shape, np.float32)
        skin[: len(naked[person])] = naked[person]
        out = (figures.vertices[person] - skin)[: len(naked[person])]
        normals = vertex_normals(skin, template.faces)[: len(out)]
        along = (out * normals).sum(1)
        assert along.min() > -1e-5
        assert 0.002 < along.mean() < 0.06
        np.testing.assert_allclose(
            figures.normals[person], vertex_normals(figures.vertices[person], template.faces), atol=1e-6
        )
    assert not np.array_equal(figures.cuts[0], figures.cuts[1])
    assert template.rest[-1, 1] == 0, "the template is nobody's"
