# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.people import Bodies, Camera, Detections, State
from hmr_ros.demo.view3d import draw_view
from hmr_ros.results.floor import estimate_floor, floor_at

BODY_MODEL = load_body_model(models_dir() / "open_body.npz")
CAMERA = Camera(np.array([[700.0, 0, 320], [0, 700, 240], [0, 0, 1]]), 640, 480)
IMAGE = np.full((480, 640, 3), 90, np.uint8)
PITCH = 0.3
"""The camera looks down by this angle, rad."""


def standing(places, height=1.5):
    """People on the floor that lies ``height`` below the camera: ``places`` (P, 2) m to the right and ahead."""
    optical_from_level = rotvec_to_rotmat(np.array([PITCH, 0.0, 0.0]))
    people = len(places)
    orient = np.tile(rotmat_to_rotvec(optical_from_level @ np.diag([1.0, -1.0, -1.0])), (people, 1))
    sole = (
        -BODY_MODEL.posed(np.zeros((1, 3)), np.zeros((1, 23, 3)), np.zeros((1, 10)), np.zeros((1, 3)))
        .vertices[..., 1]
        .min()
    )
    level = np.array([(x, height - sole, z) for x, z in places])
    pose, betas = np.zeros((people, 23, 3)), np.zeros((people, 10))
    posed = BODY_MODEL.posed(orient, pose, betas, level @ optical_from_level.T)
    empty = Bodies.without_geometry(Detections.empty("coco17"), BODY_MODEL.vertex_count)
    return Bodies(
        ids=np.arange(people),
        states=np.full(people, State.TRACKED),
        unseen_s=np.zeros(people),
        scores=np.ones(people),
        kp2d=np.zeros((people, *empty.kp2d.shape[1:])),
        kp2d_score=np.zeros((people, *empty.kp2d_score.shape[1:])),
        joint_set="coco17",
        global_orient=orient,
        body_pose=pose,
        betas=betas,
        cam_t=level @ optical_from_level.T,
        joints=posed.joints,
        vertices=posed.vertices,
        joint_error=np.zeros((people, 24)),
        disagreement=np.zeros((people, 24)),
        joint_covariance=np.zeros((people, 24, 3, 3)),
        root_covariance=np.zeros((people, 3, 3)),
        valid=np.ones(people, np.bool_),
    )


@pytest.mark.parametrize("places", [[(0, 4)], [(-1, 3), (1, 5), (0, 7), (2, 8)]])
def test_the_floor_is_found_under_people_that_stand_on_it(places):
    floor = estimate_floor([standing(places)])
    expected_up = rotvec_to_rotmat(np.array([PITCH, 0.0, 0.0])) @ np.array([0.0, -1.0, 0.0])
    # One person's ankles lie a little behind the neck; the feet of several tell better.
    assert np.degrees(np.arccos(floor.up @ expected_up)) < (6 if len(places) == 1 else 2)
    assert floor.height == pytest.approx(-1.5, abs=0.35 if len(places) == 1 else 0.1)
    assert np.allclose(floor.below(np.zeros((1, 3))) @ floor.up, floor.height)


def test_a_person_who_floats_does_not_lift_the_floor():
    others, floating = standing([(-1, 4), (2, 6), (0, 8), (1, 5)]), standing([(0, 7)], height=0.4)
    floor, alone = estimate_floor([others, floating]), estimate_floor([others])
    assert floor.height == pytest.approx(alone.height, abs=0.03)
    assert floor.up @ alone.up > np.cos(np.deg2rad(0.5))


def test_the_floor_of_a_moment_is_the_one_that_people_stand_on_then():
    """The ground sinks by half a metre, as sizes become known."""
    moments = [standing([(-1.0, 4.0), (1.0, 6.0)], height) for height in np.linspace(1.5, 2.0, 100)]
    for moment in (0, 50, 99):
        floor = floor_at(moments, moment)
        soles = (moments[moment].vertices.astype(np.float64) @ floor.up).min(1) - floor.height
        assert np.abs(soles).max() < 0.06
    assert floor_at([], 0) is None


def test_there_is_no_floor_without_people():
    assert estimate_floor([]) is None
    assert estimate_floor([standing([(0, 4)]).take(np.zeros(0, np.int64))]) is None


def test_the_view_shows_bodies_and_camera():
    bodies = standing([(-1, 3), (1, 5)])
    view = draw_view(IMAGE, bodies, CAMERA, BODY_MODEL.faces, estimate_floor([bodies]))
    assert view.shape == (720, 1280, 3)
    bare = draw_view(IMAGE, standing([(-1, 3)]), CAMERA, BODY_MODEL.faces, estimate_floor([bodies]))
    blue, orange = (view[..., 2].astype(int) - view[..., 0] > 60), (view[..., 0].astype(int) - view[..., 2] > 40)
    assert blue.sum() > 1000
    assert orange.sum() > 1000
    assert (bare[..., 0].astype(int) - bare[..., 2] > 40).sum() < 50
