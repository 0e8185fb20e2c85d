# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.skeleton import COCO_FEET, SMPL
from hmr_ros.training.synthetic.cameras import CameraMix, sample_views
from hmr_ros.training.synthetic.keypoints import KeypointMix, observe
from hmr_ros.training.synthetic.people import PeopleMix, PeopleSampler, ShapeMix, VertexSubset, sample_betas
from hmr_ros.training.synthetic.poses import PoseKind, PoseMix, PoseSource, real_poses
from hmr_ros.training.synthetic.visibility import OcclusionMix, sample_occlusion
from test.training.datasets.test_motion import small_motion
from test.training.published import assert_published, assert_ranges
from test.training.synthetic.draws import Draws

BODY = load_body_model(models_dir() / "open_body.npz")


@pytest.fixture(scope="module")
def people():
    return PeopleSampler(small_motion(), BODY, "coco_feet", PeopleMix()).sample(np.random.default_rng(0), 60)


def test_the_same_seed_gives_the_same_people(people):
    again = PeopleSampler(small_motion(), BODY, "coco_feet", PeopleMix()).sample(np.random.default_rng(0), 60)
    np.testing.assert_array_equal(again.vertices, people.vertices)
    np.testing.assert_array_equal(again.visible, people.visible)


def test_parameters_rebuild_the_vertices(people):
    """Rotations, shape and the place of the pelvis are those of the mesh, in the optical frame."""
    from hmr_ros.core.geometry.rotation import rotmat_to_rotvec

    rotvec = rotmat_to_rotvec(people.rotations)
    posed = BODY.posed(rotvec[:, 0], rotvec[:, 1:], people.betas, people.joints[:, 0])
    np.testing.assert_allclose(posed.vertices, people.vertices, atol=2e-4)
    np.testing.assert_allclose(posed.joints, people.joints, atol=2e-4)


def test_keypoints_are_projections_of_the_mesh(people):
    points = BODY.regressor("coco_feet") @ people.vertices
    expected = points / points[..., 2:] @ people.views.K.transpose(0, 2, 1)
    before = points[..., 2] > 0.2
    np.testing.assert_allclose(people.pixels[before], expected[..., :2][before], rtol=1e-3, atol=0.5)
    assert (people.visible <= people.in_image).all()
    assert (people.visible.sum(1) >= PeopleMix().min_visible).all()


def test_people_stand_upright_in_the_image():
    """Standing people before level cameras: heads above feet, also in the optical frame (y down)."""
    standing = real_poses(PoseMix(sitting=0, lying=0, crouching=0))
    mix = PeopleMix(poses=standing, cameras=CameraMix(pitch=5.0, roll=0.0))
    motion = small_motion()
    motion.pose[:] = 0
    people = PeopleSampler(motion, BODY, "coco_feet", mix).sample(np.random.default_rng(1), 50)
    head, foot = people.joints[:, SMPL.index("head")], people.joints[:, SMPL.index("left_foot")]
    assert (foot[:, 1] > head[:, 1] + 0.5 * (1 - 0.3)).all()


def test_a_subset_of_vertices_is_the_same_people():
    ids = np.arange(0, 6890, 50)
    regressor = np.zeros((21, len(ids)), np.float32)
    regressor[:, 0] = 1
    source = PoseSource(small_motion(), PoseMix())
    whole = source.sample(np.random.default_rng(3), 8)
    part = PeopleSampler(small_motion(), BODY, "coco_feet", PeopleMix(), VertexSubset(ids, regressor))
    batch = part._draw(np.random.default_rng(3), 8)
    assert batch.vertices.shape == (8, len(ids), 3)
    np.testing.assert_array_equal(batch.kind, whole.kind)


def test_seated_and_lying_people_are_what_they_are_called():
    mix = real_poses(PoseMix(sitting=0.4, lying=0.4, crouching=0.0))
    motion = small_motion()
    motion.pose[:] = 0
    pose, kind, _ = PoseSource(motion, mix).sample(np.random.default_rng(0), 200)
    posed = BODY.posed(pose[:, 0], pose[:, 1:], np.zeros((200, 10)), np.zeros((200, 3)))

    def joint(name):
        return posed.joints[:, SMPL.index(name)]

    thigh, trunk = joint("left_knee") - joint("left_hip"), joint("neck") - joint("pelvis")
    cosine = (thigh * trunk).sum(1) / np.linalg.norm(thigh, axis=1) / np.linalg.norm(trunk, axis=1)
    sitting, lying = kind == PoseKind.SITTING, kind == PoseKind.LYING
    assert np.median(cosine[sitting]) > -0.35  # the thighs point forward
    assert (cosine[sitting] > -0.9).all()
    assert (cosine[kind == PoseKind.MOTION] < -0.9).all()
    tilt = trunk[:, 1] / np.linalg.norm(trunk, axis=1)
    assert (np.abs(tilt[lying]) < 0.5).all()
    assert (tilt[kind == PoseKind.MOTION] > 0.9).all()


def test_limbs_come_from_other_frames_whole():
    """Two kinds of frames: every limb of a recombined pose is all of one kind, and the root of the first drawn."""
    motion = small_motion()
    motion.pose[:] = 0
    motion.pose[::2, 1:, 0] = 0.5
    mix = PoseMix(sitting=0, lying=0, crouching=0, reaching=0, recombined=1.0, perturbed=0.0)
    pose, _, _ = PoseSource(motion, mix).sample(np.random.default_rng(0), 400)
    bent = np.abs(pose[..., 0]) > 0.4
    for limb in (("left_hip", "left_knee", "left_foot"), ("right_collar", "right_wrist"), ("spine1", "head")):
        rows = bent[:, [SMPL.index(joint) for joint in limb]]
        assert (rows.all(1) | ~rows.any(1)).all()
    mixed = bent[:, 1:].any(1) & ~bent[:, 1:].all(1)
    assert 0.2 < mixed.mean() < 0.9


def test_a_share_of_people_fits_into_the_image():
    upright = real_poses(PoseMix(sitting=0, lying=0, crouching=0))
    fractions = []
    for whole in (0.0, 1.0):
        mix = PeopleMix(poses=upright, cameras=CameraMix(whole=whole))
        people = PeopleSampler(small_motion(), BODY, "coco_feet", mix).sample(np.random.default_rng(0), 100)
        fractions.append(people.in_image.all(1).mean())
    assert fractions[1] > 0.75  # a low camera's pitch limit still cuts some
    assert fractions[0] < 0.6


def test_cameras_keep_their_ranges(rng):
    mix = CameraMix()
    views = sample_views(mix, np.tile([0.0, 1.0, 0.0], (500, 1)), np.full(500, 1.8), rng)
    ratio = views.K[:, 0, 0] / np.linalg.norm(views.image_size, axis=1)
    assert ratio.min() >= mix.focal_over_diagonal[0]
    assert ratio.max() <= mix.focal_over_diagonal[1]
    eye = -(views.rotation.transpose(0, 2, 1) @ views.translation[..., None])[..., 0]
    assert eye[:, 1].min() >= mix.height[0]
    assert eye[:, 1].max() <= mix.height[1]
    np.testing.assert_allclose(
        views.rotation @ views.rotation.transpose(0, 2, 1), np.tile(np.eye(3), (500, 1, 1)), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(views.rotation), 1)
    axis = views.rotation[:, 2]
    assert np.rad2deg(np.arcsin(np.abs(axis[:, 1]))).max() <= mix.pitch + 1e-6


def test_pixels_and_rays_are_inverse(rng):
    views = sample_views(CameraMix(), np.zeros((4, 3)), np.ones(4), rng)
    points = rng.normal(size=(4, 6, 3)) + [0, 0, 4]
    np.testing.assert_allclose(
        views.to_normalized(views.to_pixels(points)), points[..., :2] / points[..., 2:], atol=1e-9
    )


def test_occluders_hide_what_they_say(rng):
    pixels = rng.uniform(0, 100, (400, 21, 2))
    nothing = OcclusionMix(half_plane=0, rectangle=0, limb=0, single_joints=0)
    assert sample_occlusion(pixels, COCO_FEET, nothing, rng).all()
    limbs = OcclusionMix(half_plane=0, rectangle=0, limb=1, single_joints=0)
    hidden = ~sample_occlusion(pixels, COCO_FEET, limbs, rng)
    legs = [i for i, j in enumerate(COCO_FEET.joints) if j.endswith(("knee", "ankle", "heel", "toe"))]
    arms = [i for i, j in enumerate(COCO_FEET.joints) if j.endswith(("elbow", "wrist"))]
    assert set(hidden.sum(1)) == {2, 4}
    assert (hidden[:, legs].sum(1) + hidden[:, arms].sum(1) == hidden.sum(1)).all()


def test_clean_observations_are_the_truth(people, rng):
    seen = observe(people, COCO_FEET, KeypointMix(clean=1.0), rng)
    np.testing.assert_allclose(seen.pixels[people.visible], people.pixels[people.visible], atol=1e-3)
    np.testing.assert_array_equal(seen.score > 0, people.visible)


def test_scores_tell_of_errors(people, rng):
    seen = observe(people, COCO_FEET, KeypointMix(clean=0.0, weak=1.0, strong=1.0, scored=1.0), rng)
    error = np.linalg.norm(seen.pixels - people.pixels, axis=-1)[people.visible]
    score = seen.score[people.visible]
    assert error.mean() > 0
    assert np.corrcoef(np.log(error + 1), score)[0, 1] < 0


@pytest.mark.parametrize(("fraction", "size"), [(0.0, -3.5), (0.5, -2.15), (0.999, -0.8)])
def test_children_are_smaller_than_adults_down_to_a_metre(fraction: float, size: float):
    betas = sample_betas(ShapeMix(children=1.0), Draws(fraction), 2)
    np.testing.assert_allclose(betas[:, 0], size, atol=0.01)


def test_adults_vary_in_size_and_everybody_in_the_other_betas():
    betas = sample_betas(ShapeMix(children=0.0, adult_size=0.4, others=0.5), Draws(0.75), 2)  # one deviation
    np.testing.assert_allclose(betas[:, 0], 0.4)
    np.testing.assert_allclose(betas[:, 1:], 0.5)
    np.testing.assert_allclose(sample_betas(ShapeMix(children=0.0, others=2.0), Draws(0.99), 1)[0, 1:], 2.5)
    np.testing.assert_allclose(sample_betas(ShapeMix(children=0.0, others=2.0), Draws(0.01), 1)[0, 1:], -2.5)


def test_a_fraction_of_the_people_are_children():
    assert sample_betas(ShapeMix(children=0.25, adult_size=0.0), Draws(0.25), 1)[0, 0] == 0
    assert sample_betas(ShapeMix(children=0.26), Draws(0.25), 1)[0, 0] < -2


@pytest.mark.parametrize(("airborne", "lift"), [(0.0, 0.0), (0.25, 0.0), (0.26, 0.2)])
def test_people_stand_on_the_floor_or_are_in_the_air(airborne: float, lift: float):
    """A quarter of 0.8 m up, those who are; the floor is the world's y = 0."""
    mix = PeopleMix(airborne=airborne, airborne_height=0.8, cameras=CameraMix(distance=(4, 4)), min_visible=1)
    people = PeopleSampler(small_motion(), BODY, "coco_feet", mix)._draw(Draws(0.25), 1)
    world = (people.vertices[0] - people.views.translation[0]) @ people.views.rotation[0]
    assert world[:, 1].min() == pytest.approx(lift, abs=1e-4)


def test_people_of_whom_too_little_is_seen_are_drawn_again_until_there_are_enough(monkeypatch):
    sampler = PeopleSampler(small_motion(), BODY, "coco_feet", PeopleMix(min_visible=5))
    original, asked = sampler._draw, []

    def draw(rng, count):
        asked.append(count)
        people = original(rng, count)
        people.visible[:] = np.arange(21) < np.where(np.arange(count) % 4 == 0, 5, 4)[:, None]
        return people

    monkeypatch.setattr(sampler, "_draw", draw)
    people = sampler.sample(np.random.default_rng(0), 20)
    assert (people.visible.sum(1) == 5).all(), "as many as asked for are enough"
    assert len(people) == 20
    assert asked == [26, 16, 11, 8, 8, 8], "a third more than are missing, and 8 at least"


def test_keypoints_too_near_to_the_camera_are_in_no_image(rng):
    hands = np.array([BODY.v_template[:, 0].argmax(), BODY.v_template[:, 0].argmin()])
    fingertip = VertexSubset(hands, np.tile([1.0, 0.0], (21, 1)))
    mix = PeopleMix(
        cameras=CameraMix(whole=0.0, distance=(0.5, 0.5), height=(0.5, 1.5), focal_over_diagonal=(0.2, 0.2))
    )
    batch = PeopleSampler(small_motion(), BODY, "coco_feet", mix, fingertip)._draw(rng, 300)
    depth = batch.vertices[:, 0, 2]
    inside = batch.views.inside(batch.pixels)[:, 0]
    np.testing.assert_array_equal(batch.in_image[:, 0], inside & (depth > 0.2))
    assert (inside & (depth < 0.2)).any()
    assert (batch.in_image[:, 0] & (depth < 0.4)).any()


def test_published_errors_are_of_these_people():
    assert_published(PeopleMix, airborne=0.1, min_visible=6, airborne_height=0.5)
    assert_published(ShapeMix, children=0.1, adult_size=0.4, others=1.0)
    assert_ranges(PeopleMix, min_visible=(1, None), airborne_height=(0, 3))
    assert_ranges(ShapeMix, adult_size=(0, 2), others=(0, 2))
