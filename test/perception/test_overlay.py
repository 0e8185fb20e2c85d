# SPDX-License-Identifier: Apache-2.0
import dataclasses

import cv2
import numpy as np

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.geometry.camera import project
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.people import Bodies, Camera, State
from hmr_ros.core.skeleton import JOINT_SETS
from hmr_ros.perception.overlay import draw_bodies, draw_surface, person_color, shade

BODY_MODEL = load_body_model(models_dir() / "open_body.npz")
CAMERA = Camera(np.array([[300.0, 0, 160], [0, 300, 120], [0, 0, 1]]), 320, 240)
IMAGE = np.full((240, 320, 3), 30, np.uint8)


def bodies(cam_t, valid=None):
    people = len(cam_t)
    cam_t = np.array(cam_t, np.float64).reshape(people, 3)
    upright, pose, betas = np.tile([np.pi, 0, 0], (people, 1)), np.zeros((people, 23, 3)), np.zeros((people, 10))
    posed = BODY_MODEL.posed(upright, pose, betas, cam_t)
    return Bodies(
        ids=np.arange(people),
        states=np.full(people, State.TRACKED),
        unseen_s=np.zeros(people),
        scores=np.ones(people),
        kp2d=np.tile(np.linspace(50, 200, 17)[:, None], (people, 1, 2)),
        kp2d_score=np.ones((people, 17)),
        joint_set="coco17",
        global_orient=upright,
        body_pose=pose,
        betas=betas,
        cam_t=cam_t,
        joints=posed.joints,
        vertices=posed.vertices,
        joint_error=np.zeros((people, 24)),
        disagreement=np.zeros((people, 24)),
        joint_covariance=np.zeros((people, 24, 3, 3)),
        root_covariance=np.zeros((people, 3, 3)),
        valid=np.ones(people, np.bool_) if valid is None else np.array(valid),
    )


def drawn(image):
    return (image != IMAGE).any(-1)


def test_coasting_tracks_are_paler_and_behind_seen_ones():
    both = bodies([[0.0, 0.0, 3.0], [0.0, 0.0, 4.0]])
    far_hidden = dataclasses.replace(both, states=np.array([State.TRACKED, State.COASTING]))
    near_hidden = dataclasses.replace(both, states=np.array([State.COASTING, State.TRACKED]))
    seen, far, near = (
        draw_bodies(IMAGE, b, CAMERA, BODY_MODEL.faces).astype(int) for b in (both, far_hidden, near_hidden)
    )
    x, y = np.round(project(both.joints[1, :1], CAMERA)).astype(int)[0]  # the farther one's pelvis
    assert np.abs(far[y, x] - seen[y, x]).max() < 10
    assert np.abs(near[y, x] - seen[y, x]).max() > 20
    rim = drawn(seen) & ~drawn(
        draw_bodies(IMAGE, both.take(slice(1, 2)), CAMERA, BODY_MODEL.faces)
    )  # the near one alone
    assert near[rim].mean() < 0.75 * seen[rim].mean()


def test_the_mesh_covers_its_joints_and_nothing_far_from_them():
    body = bodies([[0.0, 0.0, 3.0]])
    changed = drawn(draw_bodies(IMAGE, body, CAMERA, BODY_MODEL.faces))
    pixels = np.round(project(body.joints[0], CAMERA)).astype(int)
    inside = pixels[(pixels[:, 1] < 240) & (pixels[:, 1] >= 0)]
    assert changed[inside[:, 1], inside[:, 0]].all()
    assert not changed[:, :40].any()
    assert (IMAGE == 30).all()  # drawn on a copy


def test_the_nearer_body_hides_the_farther_one():
    both = draw_bodies(IMAGE, bodies([[0.0, 0.0, 6.0], [0.0, 0.0, 3.0]]), CAMERA, BODY_MODEL.faces)
    near = draw_bodies(IMAGE, bodies([[9.0, 0.0, 1e3], [0.0, 0.0, 3.0]]), CAMERA, BODY_MODEL.faces)
    inside = cv2.erode(drawn(near).astype(np.uint8), np.ones((3, 3))) > 0  # the rim is blended with what is behind
    assert inside.sum() > 3000
    assert np.array_equal(both[inside], near[inside])


def test_people_without_position_are_drawn_as_keypoints_even_without_a_camera():
    person = bodies([[0.0, 0.0, 3.0]], valid=[False])
    for camera in (None, CAMERA):
        assert 0 < drawn(draw_bodies(IMAGE, person, camera, BODY_MODEL.faces)).sum() < 5000


def test_no_people_and_people_behind_the_camera_leave_the_image_unchanged():
    assert np.array_equal(draw_bodies(IMAGE, bodies(np.zeros((0, 3))), CAMERA, BODY_MODEL.faces), IMAGE)
    assert np.array_equal(draw_bodies(IMAGE, bodies([[0.0, 0.0, -3.0]]), CAMERA, BODY_MODEL.faces), IMAGE)


def test_two_dozen_people_have_colours_that_are_told_apart():
    colours = np.array([person_color(i) for i in range(24)], np.float32)
    lab = cv2.cvtColor(colours[None], cv2.COLOR_RGB2LAB)[0]
    between = np.linalg.norm(lab[:, None] - lab, axis=-1)[np.triu_indices(24, 1)]
    assert between.min() > 19
    assert person_color(27) == person_color(3)


def test_light_comes_from_the_upper_left_behind_the_camera():
    light = np.array([-0.35, -0.55, -0.75])
    light /= np.linalg.norm(light)
    aside = np.cross(light, [0, 0, 1.0])
    brightness = shade(np.stack([light, -light, aside / np.linalg.norm(aside), 0.5 * light + 0.75**0.5 * aside]))
    assert brightness[1] == brightness[2] < brightness[0]
    bright, dark = brightness[0], brightness[1]
    half = shade(0.5 * light[None])[0]
    assert np.isclose(half, (bright + dark) / 2)


def test_a_surface_is_blended_with_the_image_and_softer_at_its_rim():
    """A rectangle over rows 5 to 14 and columns 5 to 19: inside 0.8 of its colour, 6/9 of that at an edge."""
    canvas = np.full((20, 30, 3), 100, np.uint8)
    corners = np.array([[5.0, 5], [19, 5], [19, 14], [5, 14]])
    tint = np.tile([1.0, 0.5, 2.0], (4, 1))
    draw_surface(canvas, corners, np.ones(4), np.array([[0, 2, 1], [0, 3, 2]]), tint, opacity=0.8)
    colour = np.array([255, 127.5, 255])  # brighter than white is white
    for at, part in (((10, 10), 1), ((10, 5), 6 / 9), ((5, 10), 6 / 9), ((14, 19), 4 / 9)):
        expected = 0.8 * part * colour + (1 - 0.8 * part) * 100
        assert np.abs(canvas[at] - expected).max() <= 1, at
    assert (canvas[:5] == 100).all()
    assert (canvas[15:] == 100).all()
    assert (canvas[:, :5] == 100).all()
    assert (canvas[:, 20:] == 100).all()


def test_bones_are_drawn_between_two_seen_keypoints_in_the_colour_of_the_track():
    person = dataclasses.replace(bodies([[0.0, 0.0, 3.0]], valid=[False]), ids=np.array([2]))
    person.kp2d_score[:] = 0.3  # not above what counts as seen
    elbow, wrist = (JOINT_SETS["coco17"].index(f"left_{part}") for part in ("elbow", "wrist"))
    assert np.array_equal(draw_bodies(IMAGE, person, None, BODY_MODEL.faces), IMAGE)
    person.kp2d[0, [elbow, wrist]] = [[100, 50], [200, 50]]
    person.kp2d_score[0, elbow] = 0.31
    assert np.array_equal(draw_bodies(IMAGE, person, None, BODY_MODEL.faces), IMAGE)
    person.kp2d_score[0, wrist] = 0.31
    image = draw_bodies(IMAGE, person, None, BODY_MODEL.faces)
    assert np.allclose(image[50, 150], 255 * np.array(person_color(2)), atol=1)
    rows, columns = np.nonzero(drawn(image))
    assert 47 < rows.min() < 50 < rows.max() < 53  # two pixels wide, and soft
    assert columns.min() >= 98
    assert columns.max() <= 202
