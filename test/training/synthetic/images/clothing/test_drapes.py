# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.skeleton import SMPL
from hmr_ros.training.synthetic.images.clothing.drapes import RINGS, SPOKES, Fall, clothes_template, hang
from hmr_ros.training.synthetic.images.clothing.garments import CUT, DRAPE, Stuff
from hmr_ros.training.synthetic.images.rendering.framing import project
from hmr_ros.training.synthetic.images.rendering.raster import Canvas, vertex_normals

BODY = load_body_model(models_dir() / "open_body.npz")
TEMPLATE = clothes_template(BODY)
TOP, HEM = 0.05, -0.45
STEP = {"left_hip": (-0.6, 0, 0.1), "right_hip": (0.4, 0, 0), "left_knee": (0.5, 0, 0)}
SEAT = {"left_hip": (-1.5, 0, 0.2), "right_hip": (-1.4, 0, 0), "left_knee": (1.4, 0, 0), "right_knee": (1.2, 0, 0)}


def hung(bends: dict[str, tuple[float, ...]], hem: float = HEM, turn: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """A body 3 m in front of the camera, facing it or turned away by an angle, with a skirt; and its T-pose."""
    pose = np.zeros((1, 23, 3))
    for joint, rotvec in bends.items():
        pose[0, SMPL.index(joint) - 1] = rotvec
    root = Rotation.from_euler("yx", [turn, np.pi]).as_rotvec()
    posed = BODY.posed(root[None], pose, np.zeros((1, 10)), np.array([[0, 0, 3.0]]))
    cut = np.zeros((), CUT)
    cut["drape"], cut["drape_top"], cut["drape_hem"] = Stuff.BOTTOM, TOP, hem
    vertices, rest = np.zeros(TEMPLATE.rest.shape, np.float32), TEMPLATE.rest.copy()
    vertices[: BODY.vertex_count] = posed.vertices[0]
    hang(vertices, rest, TEMPLATE.lower_body, cut, Fall(0.02, 0.005, 1.0))
    return vertices, rest


@pytest.mark.parametrize(("bends", "turn"), [({}, 0), (STEP, 0), (STEP, 2), (SEAT, 1.5)])
def test_a_skirt_hides_the_thighs(bends, turn):
    vertices, _ = hung(bends, turn=turn)
    camera = np.array([[300.0, 0, 150], [0, 300, 150], [0, 0, 1]])
    canvas = Canvas.blank(300, 300)
    canvas.draw(project(vertices[None], camera)[0], TEMPLATE.faces, 0)
    seen = TEMPLATE.faces[np.unique(canvas.face[canvas.face >= 0])]
    height = TEMPLATE.rest[seen].mean(1)
    thighs = np.isin(TEMPLATE.joints[seen[:, 0]], TEMPLATE.joints[TEMPLATE.lower_body])
    thighs &= (height[:, 1] < TOP - 0.08) & (height[:, 1] > HEM + 0.08)
    assert (TEMPLATE.joints[seen[:, 0]] == DRAPE).any()
    assert thighs.sum() <= 3


def test_its_normals_point_outwards():
    vertices, _ = hung({})
    outer = slice(BODY.vertex_count, BODY.vertex_count + RINGS * SPOKES)
    normals = vertex_normals(vertices, TEMPLATE.faces)[outer]
    away = vertices[outer] - vertices[outer].reshape(RINGS, SPOKES, 3).mean(1).repeat(SPOKES, 0)
    assert ((normals * away).sum(1) > 0).all()


def test_its_pattern_is_laid_out_from_top_to_hem():
    _, rest = hung({})
    heights = rest[BODY.vertex_count :, 1].reshape(2, RINGS, SPOKES)
    np.testing.assert_allclose(heights[:, 0], TOP, atol=1e-6)
    np.testing.assert_allclose(heights[:, -1], HEM, atol=1e-6)


def test_without_one_nothing_is_drawn():
    vertices, _ = hung({}, hem=TOP)
    assert (vertices[BODY.vertex_count :] == vertices[0]).all()
