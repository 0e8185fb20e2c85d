# SPDX-License-Identifier: Apache-2.0
"""The image of a room."""

import cv2
import numpy as np

from hmr_ros.evaluation.rooms.drawing import _FOCAL, _FROM_ABOVE, _WALL, _panel, _pixels
from hmr_ros.evaluation.rooms.scenes import ROOM_M
from test.results.results import bodies
from test.ros.stubs import BODY_MODEL


def test_the_grid_is_the_floor_of_the_room_and_ends_at_its_walls():
    panel = _panel(_FROM_ABOVE, _FOCAL, bodies(0, ()), BODY_MODEL.faces)
    x, y = np.array(ROOM_M) / 2
    corners = np.array([[-x, -y, 0], [x, -y, 0], [x, y, 0], [-x, y, 0]])
    outline = _pixels(_FROM_ABOVE.inverse()(corners), _FOCAL).astype(np.float32)
    drawn = np.argwhere((panel != _WALL).any(-1))[:, ::-1]
    assert len(drawn) > 5000
    inside = [cv2.pointPolygonTest(outline, (float(u), float(v)), True) for u, v in drawn]
    assert min(inside) > -3  # px
    seen = [(u, v) for u, v in outline if 0 <= u < panel.shape[1] and 0 <= v < panel.shape[0]]
    assert all(np.linalg.norm(drawn - corner, axis=1).min() < 3 for corner in seen)
