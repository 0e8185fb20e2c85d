# SPDX-License-Identifier: Apache-2.0
"""What hides whom: squares that face the camera, one for each figure."""

import numpy as np
import pytest

from hmr_ros.training.synthetic.images.batch import CROP_HEIGHT, CROP_WIDTH
from hmr_ros.training.synthetic.images.clothing.shading import Template
from hmr_ros.training.synthetic.images.rendering.raster import NOTHING
from hmr_ros.training.synthetic.images.scene.figures import Figures
from hmr_ros.training.synthetic.images.scene.occluders import Layer
from hmr_ros.training.synthetic.images.scene.scene import Scene
from hmr_ros.training.synthetic.images.scene.survey import Survey, survey

FACES = np.array([[0, 1, 2], [0, 2, 3], [0, 2, 1], [0, 3, 2]], np.int32)
TEMPLATE = Template(np.zeros((4, 3), np.float32), FACES, *(np.zeros(4, np.int32) for _ in range(3)))
STORED = np.array([100.0, 50, 340, 370])  # px: as large as a crop, so that a survey's pixel is two of the image
K = np.array([[500.0, 0, 220], [0, 500, 210], [0, 0, 1]])


def square(left: float, top: float, right: float, bottom: float, depth: float) -> np.ndarray:
    """Corners (4, 3) m, ``depth`` m away, of a rectangle of the image, px."""
    pixels = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    return np.concatenate([(pixels - K[:2, 2]) / 500 * depth, np.full((4, 1), depth)], 1)


def looked_at(*squares: np.ndarray, layer: Layer | None = None, size: tuple[int, int] = (640, 480)) -> Survey:
    corners = np.stack(squares).astype(np.float32)
    figures = Figures(corners, corners, corners, *(np.zeros(len(squares)) for _ in range(2)))
    scene = Scene(figures, K, np.array(size), np.array([0.0, -1, 0]), -1.0, STORED, layer)
    return survey(scene, TEMPLATE)


SUBJECT = square(200, 100, 240, 300, 3.0)


def hidden(found: Survey, *points: tuple[float, float, float]) -> list[bool]:
    """Of points: column px, row px, depth m."""
    places = np.array(points)
    return found.hidden(places[:, :2], places[:, 2]).tolist()


def test_the_nearest_figure_is_seen_at_its_depth():
    found = looked_at(SUBJECT, square(220, 100, 260, 300, 2.0), square(180, 100, 220, 300, 4.0))
    row = found.owner[75]  # px 200 of the image
    assert [row[(x - 100) // 2] for x in (150, 190, 210, 230, 250, 270)] == [NOTHING, 2, 0, 1, 1, NOTHING]
    depth = [found.depth[75, (x - 100) // 2] for x in (190, 210, 230)]
    np.testing.assert_allclose(depth, (4, 3, 2), rtol=1e-4)
    assert found.occlusion == pytest.approx(0.5, abs=0.05)
    assert found.outline.sum() == pytest.approx(20 * 100, rel=0.05), "as if alone"


def test_others_hide_what_is_behind_them_only():
    found = looked_at(SUBJECT, square(220, 100, 260, 300, 2.0))
    assert hidden(found, (230, 200, 3), (230, 200, 1.9), (210, 200, 3), (400, 200, 3)) == [True, False, False, False]


def test_a_body_hides_what_lies_deeper_in_it_than_its_joints_do():
    found = looked_at(SUBJECT, square(220, 100, 260, 300, 2.0))
    points = np.array([(210, 200), (210, 200), (230, 200), (300, 200)], float)
    assert found.self_hidden(points, np.array([3.2, 3.1, 9, 9])).tolist() == [True, False, False, False]


@pytest.mark.parametrize(("alpha", "covers"), [(0.45, False), (0.55, True)])
def test_a_thing_hides_where_it_is_more_than_half_opaque(alpha, covers):
    layer = Layer(np.zeros((CROP_HEIGHT, CROP_WIDTH, 3), np.uint8), np.zeros((CROP_HEIGHT, CROP_WIDTH), np.float32))
    layer.alpha[150:] = alpha  # px 200 of the image and below
    found = looked_at(SUBJECT, layer=layer)
    assert hidden(found, (210, 190, 3), (210, 210, 3), (300, 210, 3)) == [False, covers, covers]
    assert found.occlusion == pytest.approx(0.5 if covers else 0, abs=0.02)


def test_only_what_the_image_shows_of_a_body_can_be_hidden():
    whole, cut = looked_at(SUBJECT), looked_at(SUBJECT, size=(220, 200))
    assert cut.outline.sum() == pytest.approx(whole.outline.sum() / 4, rel=0.06)
    left = looked_at(square(-400, -400, 2000, 2000, 3.0))
    assert left.outline.all()
    rows, columns = np.nonzero(looked_at(square(-400, -400, 2000, 2000, 3.0), size=(220, 200)).outline)
    assert (rows.max(), columns.max()) == (74, 59)  # px 199 and 219 of the image


def test_the_borders_of_the_image_cut_above_and_left_too():
    corners = square(-400, -400, 2000, 2000, 3.0).astype(np.float32)[None]
    figures = Figures(corners, corners, corners, np.zeros(1), np.zeros(1))
    stored = STORED - (140, 90, 140, 90)  # from -40, -40
    scene = Scene(figures, K, np.array([640, 480]), np.array([0.0, -1, 0]), -1.0, stored, None)
    rows, columns = np.nonzero(survey(scene, TEMPLATE).outline)
    assert (rows.min(), columns.min()) == (20, 20)


def test_nobody_in_view_is_not_hidden():
    found = looked_at(square(1000, 1000, 1010, 1010, 3.0))
    assert not found.outline.any()
    assert found.occlusion == 1


def test_points_beyond_the_crop_are_looked_up_at_its_border():
    found = looked_at(SUBJECT, square(-400, -400, 2000, 2000, 2.0))
    assert hidden(found, (-900, 200, 3), (9000, 9000, 3), (9000, -900, 1)) == [True, True, False]
