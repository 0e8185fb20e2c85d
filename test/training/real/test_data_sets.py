# SPDX-License-Identifier: Apache-2.0
"""What is drawn of data sets: the people that were written, known as far as the files tell."""

import dataclasses

import numpy as np
import pytest
import torch

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.settings import updated
from hmr_ros.core.skeleton import COCO, COCO_FEET, HUMAN36M
from hmr_ros.training.config import CropConfig, TrainConfig
from hmr_ros.training.data_config import DataConfig
from hmr_ros.training.real.data_sets import DataSets
from hmr_ros.training.real.labels import LabelledImages, LabelledPeople, labelled
from hmr_ros.training.real.mixture import weighted
from hmr_ros.training.real.people import annotated_keypoints, mesh_keypoints
from hmr_ros.training.recipes import paper
from hmr_ros.training.recipes.crop_batches import Observer
from hmr_ros.training.synthetic.keypoints import KeypointMix
from hmr_ros.training.synthetic.people import PeopleMix, PeopleSampler
from test.training.datasets import made
from test.training.datasets.test_motion import small_motion
from test.training.real.made_root import write_root


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    write_root(root)
    return root


@pytest.fixture(scope="module")
def body(root):
    return load_body_model(root / "smpl.npz")


def data_sets(root, body, **weights: float) -> DataSets:
    male = str(root / "smpl.npz")
    return DataSets(updated(DataConfig(), {"root": str(root), "body_male": male, **weights}), body)


def projected(people: LabelledPeople, regressor: np.ndarray) -> np.ndarray:
    points = regressor @ people.vertices
    return points[..., :2] / points[..., 2:] * people.K[:, None, [0, 1], [0, 1]] + people.K[:, None, :2, 2]


@pytest.mark.parametrize("name", ["coco", "mpii", "threedpw"])
def test_people_stand_where_their_keypoints_are(root, body, name):
    people = data_sets(root, body, **{name: 1.0}).people("train", COCO, annotated_keypoints, None)
    drawn = people.sample(np.random.default_rng(0), 5)
    assert drawn.fitted.all()
    assert drawn.jointed.all()
    off = np.linalg.norm(projected(drawn, people.regressor) - drawn.pixels, axis=-1)
    assert off[drawn.visible].max() < 1, "px"
    assert drawn.visible.mean() > 0.9


def test_people_without_a_fit_have_joints_alone(root, body):
    data = data_sets(root, body, mpi_inf_3dhp=1.0)
    drawn = data.people("train", HUMAN36M, mesh_keypoints, None).sample(np.random.default_rng(0), 40)
    assert 0.1 < drawn.fitted.mean() < 0.9
    assert drawn.jointed.all()
    lone = drawn.take(~drawn.fitted)
    np.testing.assert_allclose(lone.rotations, np.broadcast_to(np.eye(3), lone.rotations.shape), atol=1e-6)
    written = made.spin_arrays(made.people([f"S{1 + i // 3}/Seq1/frame_{i}.jpg" for i in range(6)], 2))["S"][..., :3]
    hip = written[:, [2]] - written[:, [14]]  # right hip from the pelvis
    found = lone.targets[:, HUMAN36M.index("right_hip")] - lone.targets[:, 0]
    assert min(np.abs(hip[:, 0] - found[0]).max(1)) < 1e-3
    assert not data.people("train", COCO, mesh_keypoints, None).sample(np.random.default_rng(0), 40).jointed.all()
    assert (
        data.fitted_only().people("train", COCO, mesh_keypoints, None).sample(np.random.default_rng(0), 40).fitted.all()
    )


def test_measured_joints_of_human36m_are_the_papers_input_and_target(root, body):
    drawn = data_sets(root, body, human36m=1.0).people("train", HUMAN36M, mesh_keypoints, None)
    people = drawn.sample(np.random.default_rng(0), 4)
    normalized = people.targets[..., :2] / people.targets[..., 2:]
    px = normalized * people.K[:, None, [0, 1], [0, 1]] + people.K[:, None, :2, 2]
    np.testing.assert_allclose(px, people.pixels, atol=0.1)


def test_crops_show_the_people_and_black_beyond_the_image(root, body):
    images = data_sets(root, body, coco=1.0).images("train", COCO_FEET).sample(np.random.default_rng(0), 3)
    assert isinstance(images, LabelledImages)
    config = CropConfig(box_scale=0.0, box_shift=0.0, flip=0.0, without_keypoints=0.0)
    batch = Observer(COCO_FEET, config, KeypointMix(clean=1.0, scored=0.0)).augmented(images, np.random.default_rng(0))
    assert (batch.fitted == 1).all()
    for image, places, visible in zip(batch.image.numpy(), batch.places.numpy(), batch.visible.numpy(), strict=True):
        hips = places[[11, 12]][visible[[11, 12]] > 0]
        for column, row in (hips * [192, 256]).astype(int):
            assert image[row, column, 0] > 170, "the silhouette is light, the background dark"


@pytest.mark.parametrize(("motion", "fractions"), [(0.0, (0.75, 0.25)), (4.0, (3 / 8, 1 / 8))])
def test_data_sets_are_drawn_by_their_weights(root, body, motion, fractions):
    data = data_sets(root, body, coco=3.0, mpii=1.0, motion=motion)
    synthetic = PeopleSampler(small_motion(), body, "coco", PeopleMix())
    drawn = data.people("train", COCO, mesh_keypoints, None, synthetic).sample(np.random.default_rng(0), 400)
    shapes = [made.people(["x.jpg"] * n, seed, body).betas for n, seed in ((8, 0), (4, 1))]
    for betas, fraction in zip(shapes, fractions, strict=True):
        own = (np.abs(drawn.betas[:, None] - betas).max(2) < 1e-4).any(1).mean()
        assert own == pytest.approx(fraction, abs=0.08)
    again = data.people("train", COCO, mesh_keypoints, None, synthetic).sample(np.random.default_rng(0), 400)
    np.testing.assert_array_equal(drawn.betas, again.betas)


def test_validation_is_on_other_persons(root, body):
    data = data_sets(root, body, coco=1.0)
    train, val = (
        data.people(split, COCO, mesh_keypoints, None).sample(np.random.default_rng(0), 60)
        for split in ("train", "val")
    )
    assert len(np.unique(train.betas[:, 0])) == 7
    assert len(np.unique(val.betas[:, 0])) == 1
    assert not set(val.betas[:, 0]) & set(train.betas[:, 0])


def test_poses_serve_as_motion(root, body):
    motion = data_sets(root, body, coco=1.0, mpii=1.0).motion()
    assert len(motion) == 12
    assert len(motion.select("train")) == 12
    upright = motion.pose[:, 0]
    assert np.abs(upright).max() < 1.0, "a person upright in the image is upright in the world, facing the camera"


def test_data_sets_need_a_directory_and_smpl(root, body):
    with pytest.raises(ValueError, match=r"data\.root: set it"):
        DataSets(DataConfig(coco=1.0), body)
    with pytest.raises(ValueError, match=r"run\.body: the data sets' poses and shapes are SMPL's"):
        DataSets(DataConfig(root="x", coco=1.0), load_body_model(models_dir() / "open_body.npz"))
    without_male = DataSets(DataConfig(root=str(root), threedpw=1.0), body)
    with pytest.raises(ValueError, match=r"3dpw: made with SMPL models of gender \['male'\]: set data\.body_male"):
        without_male.motion()


def test_images_are_looked_for_before_they_are_drawn(root, body):
    data_sets(root, body, coco=1.0, mpii=1.0, threedpw=1.0).check_images()
    with pytest.raises(FileNotFoundError, match=r"human36m: 15 of 15 images are missing, the first is s1_0\.jpg"):
        data_sets(root, body, coco=1.0, human36m=1.0).check_images()


def test_data_sets_without_a_fit_are_named(tmp_path, body):
    made.smpl_like_body(tmp_path / "smpl.npz")
    nothing = made.people(["a.jpg", "b.jpg"])
    made.write_cliff(
        tmp_path / "mpii" / "mpii_cliffGT.npz", dataclasses.replace(nothing, betas=np.full((2, 10), np.nan))
    )
    with pytest.raises(ValueError, match=r"data\.mpii: no person with a usable fit; `hmr data check`"):
        data_sets(tmp_path, body, mpii=1.0).motion()
    with pytest.raises(ValueError, match=r"data\.mpii: .* left for 'val'; `hmr data check`"):
        DataSets(DataConfig(str(tmp_path), mpii=1.0), body).people("val", COCO, annotated_keypoints, None)


def test_synthetic_people_are_known_entirely():
    body = load_body_model(models_dir() / "open_body.npz")
    sampler = PeopleSampler(small_motion(), body, "coco", PeopleMix())
    people = labelled(sampler.sample(np.random.default_rng(0), 3), sampler.regressor)
    assert people.known.all()
    np.testing.assert_allclose(people.targets, sampler.regressor @ people.vertices)
    assert labelled(people, sampler.regressor) is people


def test_a_source_without_weight_is_not_drawn():
    mixture = weighted([None, "second"], [0.0, 1.0])
    assert (mixture.sources, mixture.weights) == (("second",), (1.0,))


def test_the_papers_masks_are_those_of_the_labels(root, body, monkeypatch):
    """Without a fit the vertex term is masked; the joints of Human3.6M count where they were measured."""
    monkeypatch.setattr(paper, "build_network", lambda *_: torch.nn.Linear(1, 1))
    settings = {"recipe": "paper", "data.root": str(root), "data.mpi_inf_3dhp": 1.0, "paper.joint_set": "human36m"}
    recipe = paper.PaperRecipe(updated(TrainConfig(), settings), small_motion(), body, {"unused": np.zeros(1)})
    batch = recipe.batch(recipe.sampler("train", "mesh"), np.random.default_rng(0), 20)
    assert batch.vertices_mask.shape == (20, 1, 1)
    assert 0 < batch.vertices_mask.mean() < 1
    assert (batch.pose3d_mask == 1).all()
    rest = batch.vertices[batch.vertices_mask[:, 0, 0] == 0]
    assert (rest - rest[:1]).abs().max() < 1e-6, "the rest mesh, for the terms without a mask"
    assert dataclasses.replace(recipe._config.data, mpi_inf_3dhp=0.0).weights == {}


def test_a_person_whom_nothing_shows_is_named_with_the_file(tmp_path, body):
    """A camera and a position that are no numbers, and neither box nor keypoints."""
    people = made.people(["a.jpg", "b.jpg"], body=body)
    lost = np.array([1.0, np.nan])
    made.write_spin(
        tmp_path / "mpii" / "mpii_cliffGT.npz",
        people,
        part=np.zeros((2, 24, 3)),
        center=None,
        scale=None,
        global_t=people.transl * lost[:, None],
        focal_l=made.FOCAL * lost,
    )
    with pytest.raises(ValueError, match=r"mpii_cliffGT.npz: image \w.jpg, person \w.jpg: expected a box with an area"):
        DataSets(DataConfig(str(tmp_path), mpii=1.0), body).people("train", COCO, annotated_keypoints, None)
