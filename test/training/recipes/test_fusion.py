# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest
import torch
from numpy.random import default_rng

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.settings import updated
from hmr_ros.core.skeleton import SMPL
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.fusion_errors import Memory, answered, chained, errors_of
from hmr_ros.training.lifted import Lifted, Lifter, lifted_chunk
from hmr_ros.training.recipes import make_recipe, stage_names
from hmr_ros.training.recipes.fusion import tensors
from hmr_ros.training.synthetic.keypoints import KeypointMix
from hmr_ros.training.synthetic.sequences import SequenceMix, SequenceSampler
from hmr_ros.training.windows import RUN, WindowSampler, mirrored, prepared
from test.training.elsewhere import train_elsewhere
from test.training.synthetic.test_sequences import waving

BODY = load_body_model(models_dir() / "open_body.npz")


def lifted(people=3, images=20, seed=0) -> Lifted:
    """People who move smoothly, estimated with errors, before cameras that turn."""
    rng = default_rng(seed)
    pace = rng.normal(0, 0.5, (people, 1, 24, 3))
    stamps = np.broadcast_to(np.arange(images) / 20, (people, images))
    true = (rng.normal(0, 0.4, (people, 1, 24, 3)) + pace * stamps[..., None, None]).astype(np.float32)
    valid = rng.random((people, images)) < 0.9
    return Lifted(
        stamps=stamps,
        pose=true + rng.normal(0, 0.1, true.shape).astype(np.float32),
        true_pose=true,
        betas=rng.normal(0, 0.3, (people, images, 10)).astype(np.float32),
        cam_t=np.broadcast_to(np.float32([0.5, 0.2, 4]), (people, images, 3)),
        joint_error=np.full((people, images, 24), 0.1, np.float32),
        seen=np.ones((people, images, 24), np.bool_),
        valid=valid,
        true_betas=rng.normal(0, 0.3, (people, 10)).astype(np.float32),
        future=rng.normal(0, 0.3, (people, images, 3, 24, 3)).astype(np.float16),
        known=np.ones((people, images, 4), np.bool_),
        camera=(stamps[..., None] * [0, 0.5, 0]).astype(np.float32),
    )


def sampler_of(still=0.0, of=None):
    return WindowSampler(prepared(of or lifted(), BODY), BODY, still)


def windows(still=0.0, count=16, seed=0, of=None):
    return sampler_of(still, of).sample(default_rng(seed), count)


def test_runs_of_neighbouring_images_begin_with_the_oldest_and_windows_with_the_newest():
    found = windows()
    newest = found.newest.reshape(-1, RUN)
    np.testing.assert_array_equal(np.diff(newest), 1)
    np.testing.assert_array_equal(found.number[:, 0], found.newest)
    assert (found.poses.age[:, 0] == 0).all()
    assert (found.poses.mask[:, 0] == 1).all()
    np.testing.assert_allclose(found.interval[found.newest > 0], 1 / 20)


def test_a_run_goes_on_where_the_last_one_ended_until_its_sequence_ends():
    sampler, rng = sampler_of(), default_rng(0)
    runs = [sampler.sample(rng, 8) for _ in range(12)]
    first = np.array([[run.newest.reshape(8, RUN)[:, 0], run.begins.reshape(8, RUN)[:, 0]] for run in runs])
    image, begins = first[:, 0], first[:, 1].astype(bool)
    assert begins[0].all()
    assert (image[1:] == image[:-1] + RUN)[~begins[1:]].all()
    assert (image[:-1] + 2 * RUN > 20)[begins[1:]].all()
    assert begins[1:].any(0).all()
    assert (image + RUN <= 20).all()


def test_new_tracks_have_few_images():
    sampler, rng = sampler_of(), default_rng(0)
    runs = [sampler.sample(rng, 16) for _ in range(3)]
    few = np.concatenate([run.poses.mask.sum(1)[run.begins] for run in runs])
    assert few.min() == 1
    assert few.max() <= RUN
    assert runs[1].poses.mask.sum(1)[~runs[1].begins].mean() > 4


def test_perfect_estimates_are_the_truth_in_the_windows_axes():
    exact = dataclasses.replace(lifted(), pose=lifted().true_pose)
    found = windows(of=exact)
    usable = found.usable
    np.testing.assert_allclose(found.poses.rotations[usable, 0], found.rotations[usable], atol=1e-5)


@pytest.mark.parametrize(("still", "agrees"), [(0.0, True), (1.0, False)])
def test_the_cameras_turning_is_taken_out_unless_it_is_unknown(still, agrees):
    made = lifted()
    root = rotvec_to_rotmat(made.camera) @ rotvec_to_rotmat(np.array([0.3, 0.2, 0.1]))  # still in the world
    pose = made.pose.copy()
    pose[:, :, 0] = rotmat_to_rotvec(root)
    found = windows(still=still, of=dataclasses.replace(made, pose=pose)).poses
    roots = found.rotations[:, :, 0]
    gap = np.abs(roots - roots[:, :1]).max((2, 3))[found.mask > 0]
    assert (gap.max() < 1e-4) == agrees


def test_a_mirror_shows_mirrored_joints():
    made = lifted()
    other = mirrored(made)
    for name in ("pose", "true_pose"):
        first, second = (getattr(x, name).reshape(-1, 24, 3).astype(np.float64) for x in (made, other))
        shape = np.zeros((len(first), 10))
        a, b = (BODY.posed_joints(p[:, 0], p[:, 1:], shape) for p in (first, second))
        np.testing.assert_allclose(b, a[:, SMPL.mirror] * [-1, 1, 1], atol=2e-3)
    turned = rotvec_to_rotmat(other.camera[0, 5].astype(np.float64)) @ [0, 0, 1]
    np.testing.assert_allclose(turned * [-1, 1, 1], rotvec_to_rotmat(made.camera[0, 5].astype(np.float64)) @ [0, 0, 1])


def test_joints_are_posed_as_by_the_body_model():
    pose = default_rng(0).normal(0, 0.5, (5, 24, 3))
    rest = BODY.rest_joints(np.zeros((5, 10)))
    found = chained(torch.from_numpy(rotvec_to_rotmat(pose)), torch.from_numpy(rest.astype(np.float64)))
    expected = BODY.posed_joints(pose[:, 0], pose[:, 1:], np.zeros((5, 10)))
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)


def outputs_of(rotations):
    people = len(rotations)
    return rotations, torch.ones(people, 24), torch.zeros(people, 3, 24, 3), torch.ones(people, 3, 24)


def test_errors_vanish_for_the_truth_and_do_not_turn_with_the_camera():
    batch = tensors(windows())
    images = iter([batch.image(number).true for number in range(RUN)])
    errors, memory = errors_of(lambda *_inputs: outputs_of(next(images)), batch, Memory.empty(16, 20))
    assert float(errors.joint.max()) < 1e-4
    assert float(errors.rotation.max()) < 1e-4
    assert float(errors.acceleration.max()) < 1e-4
    assert float(memory.error.abs().max()) < 1e-6
    single = len(batch.rotations), 24
    assert errors.joint.shape == errors.motion.shape == errors.acceleration.shape == errors.behind.shape == single


def test_poses_of_a_moment_ago_are_behind():
    exact = dataclasses.replace(lifted(), pose=lifted().true_pose, valid=np.ones((3, 20), np.bool_))
    batch = tensors(windows(of=exact))

    def behind(image):
        errors, _ = errors_of(lambda *inputs: outputs_of(inputs[0][:, image]), batch, Memory.empty(16, 20))
        return float(errors.behind[batch.mask[:, 2] > 0][:, 1:].mean())

    assert abs(behind(0)) < 1e-4
    assert 0.005 < behind(1) < 0.6 * behind(2)


def test_the_network_reads_its_own_answers_from_run_to_run():
    made = dataclasses.replace(lifted(), valid=np.ones((3, 20), np.bool_))
    sampler, rng, answers, previous = sampler_of(of=made), default_rng(0), torch.zeros(8, 20, 24, 3, 3), None

    def older(rotations, _joints, _error, _age, _mask, published):
        seen.append(published[:, 0])
        return outputs_of(rotations[:, 1])

    for _ in range(4):
        batch, seen = tensors(sampler.sample(rng, 8)), []
        (fused, *_), answers = answered(older, batch, answers)
        goes_on = ~batch.image(0).begins
        if previous is not None:
            torch.testing.assert_close(seen[0][goes_on, 1:], previous[goes_on, 1:])
        fused = fused.unflatten(0, (-1, RUN))
        known = batch.mask[:, 1].unflatten(0, (-1, RUN)) > 0
        for image in range(1, RUN):
            answer = torch.where(
                known[:, image - 1, None, None, None], fused[:, image - 1], batch.image(image - 1).rotations[:, 0]
            )
            torch.testing.assert_close(seen[image][:, 1:], answer[:, 1:])
        previous = fused[:, -1]


def test_errors_lead_back_to_earlier_answers():
    batch, scale = tensors(windows()), torch.ones(RUN, requires_grad=True)
    factors = iter(scale)

    def network(rotations, _joints, _error, _age, _mask, published):
        return outputs_of(next(factors) * (0.1 * rotations[:, 0] + 0.9 * published[:, 0]))

    (fused, *_), _ = answered(network, batch, Memory.empty(16, 20).answers)
    fused.unflatten(0, (-1, RUN))[:, -1].sum().backward()
    assert (scale.grad[1:].abs() > 0).all()


@pytest.fixture
def recipe(tmp_path):
    """The recipe on sequences that are lifted already."""
    directory = tmp_path / "lifted"
    for split in ("train", "val"):
        (directory / split).mkdir(parents=True)
        np.savez(directory / split / "00000.npz", **vars(lifted()))
    motion = dataclasses.replace(waving(), clip_split=np.array(["train"]))
    both = dataclasses.replace(
        motion,
        clip=np.repeat([0, 1], [45, 45]),
        **{
            name: np.repeat(getattr(motion, name), 2)
            for name in ("clip_id", "clip_subject", "clip_category", "clip_leg")
        },
        clip_split=np.array(["train", "val"]),
    )
    settings = {
        "recipe": "fusion",
        "run.workers": 0,
        "windows.lifted": str(directory),
        "windows.chunks": 1,
        "windows.validation_chunks": 1,
        "windows.behind": 0.0,
        "sequences.images": 20,
    }
    small = {"fusion.width": 16, "fusion.layers": 1, "fusion.heads": 2, "run.validation_people": 8}
    torch.manual_seed(0)
    return make_recipe(updated(TrainConfig(), settings | small), both, BODY, None)


def test_it_learns(recipe):
    assert stage_names(updated(TrainConfig(), {"recipe": "fusion"})) == ("fuse",)
    sampler = recipe.sampler("train", "fuse")
    optimiser = torch.optim.Adam(recipe.modules.parameters(), 6e-3)
    batch, totals = recipe.batch(sampler, default_rng(0), 8), []
    for _ in range(12):
        terms = recipe.loss(batch, "fuse", 0.0)
        total = sum(terms.values())
        totals.append(float(total.detach()))
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
    learnt = {"joints", "rotations", "motion", "behind", "acceleration", "forecast", "joint_error", "forecast_error"}
    assert set(terms) == learnt
    assert totals[-1] < 0.9 * totals[0]
    report = recipe.validate(recipe.sampler("val", "fuse"), "fuse")
    assert set(report) == {"joints", "motion", "acceleration", "forecast"}
    assert all(0 < value < 1000 for value in report.values())


@pytest.mark.slow
def test_a_step_and_a_validation_on_another_device(recipe):
    train_elsewhere(recipe, updated(TrainConfig(), {"recipe": "fusion"}))


@pytest.mark.parametrize("setting", ["run.workers", "run.accumulate"])
def test_batches_must_follow_one_another(setting):
    with pytest.raises(ValueError, match=r"set run\.workers to 0, run\.accumulate to 1"):
        make_recipe(updated(TrainConfig(), {"recipe": "fusion", "run.workers": 0} | {setting: 2}), waving(), BODY, None)


def test_chunks_are_made_once_and_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr("hmr_ros.training.lifted.CHUNK", 2)
    lifter = Lifter(models_dir() / "pose2mesh.json", BODY)
    sampler = SequenceSampler(waving(), BODY, lifter.joint_set, SequenceMix(images=4), KeypointMix())
    made = lifted_chunk(tmp_path, 3, 0, lifter, sampler)
    assert [path.name for path in tmp_path.iterdir()] == ["00003.npz"]
    again = lifted_chunk(tmp_path, 3, 0, lifter, None)
    for field in dataclasses.fields(Lifted):
        np.testing.assert_array_equal(getattr(made, field.name), getattr(again, field.name))
    assert made.pose.shape == (2, 4, 24, 3)
    assert made.valid.any()
