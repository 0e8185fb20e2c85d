# SPDX-License-Identifier: Apache-2.0
import dataclasses
import json

import numpy as np
import pytest

from hmr_ros.cli import arguments_of
from hmr_ros.commands import calibrate
from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import Manifest, TensorSpec, load_manifest, models_dir, write_manifest
from hmr_ros.core.skeleton import SMPL
from hmr_ros.core.uncertainty import LEVELS, Uncertainty
from hmr_ros.evaluation.held_out import residuals as residuals_module
from hmr_ros.evaluation.held_out.case import Prediction, observed
from hmr_ros.evaluation.held_out.covariance_fit import conformal_radii, fit
from hmr_ros.evaluation.held_out.coverage import coverage_by_joint, coverages
from hmr_ros.evaluation.held_out.drift import measure_drift
from hmr_ros.evaluation.held_out.residuals import KEYPOINTS, calibration_clips, residuals_of
from hmr_ros.evaluation.held_out.synthetic import sampled_people
from hmr_ros.evaluation.sequences import trial
from hmr_ros.training.datasets.motion import save_motion
from hmr_ros.training.synthetic.images import ImageMix, ImageSampler
from hmr_ros.training.synthetic.images.shards.shards import shard_path, write_shard
from hmr_ros.training.synthetic.people import PeopleMix, PeopleSampler
from test.perception.test_fusion import Oldest
from test.training.datasets.test_motion import small_motion
from test.training.synthetic.test_sequences import waving

BODY = load_body_model(models_dir() / "open_body.npz")
ALONG, ACROSS = 1.2, 0.5
ROOT_ALONG, ROOT_ACROSS = 0.08, 0.03


class Wrong:
    """Knows the ground truth, but errs as it expects to: by ALONG and ACROSS times its expected error, with heavy
    tails.
    """

    name = "wrong"
    joint_set = "coco_feet"
    reads_images = False

    def __init__(self):
        self.rng = np.random.default_rng(0)

    def predict(self, case):
        people = len(case.joints)
        error = self.rng.uniform(0.3, 2, (people, 1)) * self.rng.uniform(0.05, 0.15, (people, 24))
        error[:, 0] = 0
        scale = error[:, 1:].mean(1, keepdims=True) / 0.1
        ray = case.joints[:, 0] / np.linalg.norm(case.joints[:, 0], axis=1, keepdims=True)
        distance = np.linalg.norm(case.joints[:, 0], axis=1, keepdims=True)
        root = case.joints[:, 0] + scale * self.stretched(ray, ROOT_ALONG * distance, ROOT_ACROSS)
        joints = case.joints + error[..., None] * self.stretched(np.repeat(ray[:, None], 24, 1), ALONG, ACROSS)
        return [Prediction("wrong", case.vertices, joints, root, error)]

    def stretched(self, ray, along, across):
        noise = self.rng.laplace(0, np.sqrt(0.5), ray.shape)  # of variance 1
        on_ray = (noise * ray).sum(-1, keepdims=True) * ray
        return across * (noise - on_ray) + along * on_ray


@pytest.fixture(scope="module")
def motion():
    """One subject of ten takes of two clips each."""
    motion = small_motion().select("val")
    rows = np.resize(np.arange(len(motion)), 800)
    takes = np.repeat([f"take_{i}" for i in range(10)], 2)
    columns = {"clip_id": takes, "clip_subject": np.full(20, "5"), "clip_category": np.full(20, "walk")}
    return dataclasses.replace(
        motion,
        pose=motion.pose[rows],
        trans=motion.trans[rows],
        clip=np.arange(800) // 40,
        clip_split=np.full(20, "val"),
        clip_leg=np.full(20, np.nan, np.float32),
        **columns,
    )


@pytest.fixture(scope="module")
def residuals(motion):
    sampler = PeopleSampler(motion, BODY, "coco_feet", PeopleMix())
    return residuals_of(Wrong(), sampled_people(sampler, 500, 0), BODY, 0)


def test_every_person_is_seen_with_every_error(residuals):
    assert len(residuals) == 500 * len(KEYPOINTS)
    np.testing.assert_array_equal(np.bincount(residuals.person), np.full(500, len(KEYPOINTS)))
    seen = {g.name: g for g in residuals.groupings}["2D"]
    assert set(seen.labels.tolist()) == set(KEYPOINTS)


def test_who_has_no_keypoints_does_not_count(motion, monkeypatch):
    """The robot knows no covariance of them; here: of all people but the first, with the network's own keypoints."""

    def own(predictors, people, body, rng):
        case = observed(people, "coco_feet", KEYPOINTS["true"], body, rng)
        return dataclasses.replace(case, score=np.where(np.arange(len(people))[:, None] == 0, case.score, 0))

    monkeypatch.setattr(residuals_module, "own_case", own)
    sampler = PeopleSampler(motion, BODY, "coco_feet", PeopleMix())
    found = residuals_of(Wrong(), sampled_people(sampler, 8, 0), BODY, 0)
    labels = {g.name: g for g in found.groupings}["2D"].labels
    assert (labels == "own").sum() == 1
    assert len(found) == 8 * len(KEYPOINTS) + 1


def test_deviations_are_found_along_and_across_the_line_of_sight(residuals):
    found = fit(residuals, "coco_feet")
    for deviations in (found.seen, found.unseen):
        assert deviations.along[0] == deviations.across[0] == 0
        np.testing.assert_allclose(deviations.along[1:], ALONG, rtol=0.3)
        np.testing.assert_allclose(deviations.across[1:], ACROSS, rtol=0.3)
        assert np.mean(deviations.along[1:]) == pytest.approx(ALONG, rel=0.05)
        assert np.mean(deviations.across[1:]) == pytest.approx(ACROSS, rel=0.05)
        assert deviations.along[SMPL.index("left_knee")] == deviations.along[SMPL.index("right_knee")]
    assert found.root_along.scale == pytest.approx(ROOT_ALONG, rel=0.15)
    assert found.root_across.scale == pytest.approx(ROOT_ACROSS, rel=0.15)
    assert found.root_along.exponent == pytest.approx(1, abs=0.2)


def test_errors_that_grow_with_the_misfit_are_found_to(residuals):
    misfit = np.random.default_rng(0).uniform(0.01, 0.2, len(residuals))
    unit = ((misfit + 0.005) / 0.035)[:, None]
    worse = dataclasses.replace(
        residuals, misfit=misfit, joints=residuals.joints * unit[..., None] ** 0.4, root=residuals.root * unit
    )
    found, plain = fit(worse, "coco_feet"), fit(residuals, "coco_feet")
    assert found.joint_doubt == pytest.approx(0.4, abs=0.05)
    assert (found.along_doubt, found.across_doubt) == (pytest.approx(1, abs=0.15), pytest.approx(1, abs=0.15))
    assert found.root_along.scale == pytest.approx(plain.root_along.scale, rel=0.1)
    np.testing.assert_allclose(found.seen.along[1:], plain.seen.along[1:], rtol=0.1)
    assert (plain.joint_doubt, plain.along_doubt, plain.across_doubt) == (0, 0, 0)


def test_regions_hold_what_they_say_on_other_people(motion, residuals):
    learnt = calibration_clips(motion)[residuals.clip]
    calibration, test = fit(residuals.take(learnt), "coco_feet"), residuals.take(~learnt)
    rows = coverages(test, calibration, "coco_feet", motion.clip_id[test.clip])
    assert rows[0].group == "all"
    assert rows[0].count == len(test)
    assert rows[0].largest_gap < 5
    for level, interval in zip(LEVELS, rows[0].joints, strict=True):
        assert interval.mean == pytest.approx(100 * level, abs=3)
    by_joint = coverage_by_joint(test, calibration, "coco_feet")
    assert len(by_joint) == 23
    assert all(abs(fractions[1] - 90) < 7 for fractions in by_joint.values())


def test_regions_across_the_line_of_sight_would_fail(residuals):
    """What ``largest_gap`` would say if the covariances pointed elsewhere, as with swapped axes."""
    calibration = fit(residuals, "coco_feet")
    turned = dataclasses.replace(residuals, cam_t=residuals.cam_t[:, [2, 0, 1]])
    (everybody, *_) = coverages(turned, calibration, "coco_feet", residuals.clip.astype(str))
    assert everybody.largest_gap > 10


def test_radii_hold_the_share_of_the_next_one():
    found = np.random.default_rng(0).permutation(99) + 1.0
    assert conformal_radii(found) == (50.0, 90.0, 95.0)  # ranks of 100, counting the one to come
    with pytest.raises(ValueError, match="at least 20 people to calibrate on, got 10"):
        conformal_radii(found[:10])


def test_a_network_that_expects_no_error_is_refused(residuals):
    silent = dataclasses.replace(residuals, expected_error=np.full_like(residuals.expected_error, np.nan))
    with pytest.raises(ValueError, match="predicts no expected errors"):
        fit(silent, "coco_feet")


def test_takes_are_parted_whole_and_subject_by_subject(motion):
    two = dataclasses.replace(motion, clip_subject=np.repeat(["5", "7"], 10))
    chosen = calibration_clips(two)
    for half in (chosen, ~chosen):
        assert set(half.reshape(10, 2).sum(1).tolist()) == {0, 2}
    assert set(two.clip_subject[chosen]) == set(two.clip_subject[~chosen]) == {"5", "7"}


def test_accelerating_people_drift_from_their_extrapolation(motion):
    time = np.arange(200) / 30
    pelvis = np.zeros((2, 200, 3), np.float32)
    pelvis[..., 0] = 2 * time + 3 * time**2
    poses = np.zeros((2, 200, 24, 3), np.float32)
    poses[:, :, SMPL.index("left_shoulder"), 2] = 0.2 * time  # the left arm rises
    moving = dataclasses.replace(
        motion, pose=poses.reshape(-1, 24, 3), trans=pelvis.reshape(-1, 3), clip=np.arange(400) // 200
    )
    drift = measure_drift(moving, BODY, stride=1)
    before, now, after = (pelvis[0, first : first + 170, 0] for first in (0, 15, 30))
    strayed = after - now - (now - before) / 0.5 * 0.5 * (1 - np.exp(-1))
    assert drift.root_m_s == pytest.approx(np.sqrt((strayed**2).mean() / 3) / 0.5, rel=1e-3)
    held, moved = (BODY.posed_joints(p[:1, 0], p[:1, 1:], np.zeros((1, 10)))[0] for p in (poses[0], poses[0, 30:]))
    hand = SMPL.index("left_hand")
    per_axis = np.linalg.norm(moved - held, axis=-1)[hand] / np.sqrt(3)
    assert drift.joint_m[hand] == pytest.approx(per_axis / np.sqrt(2), rel=1e-5), "the other hand rests"
    assert drift.joint_m[hand] == drift.joint_m[SMPL.index("right_hand")]
    assert drift.joint_m[SMPL.index("left_knee")] < 1e-6
    assert drift.joint_time_s == pytest.approx(0.95, abs=0.05)  # nearly a straight line: a long way to go


@pytest.fixture
def artefact(tmp_path, motion, monkeypatch):
    """A manifest, and a motion file."""
    monkeypatch.setattr(calibrate, "open_predictor", lambda path, body: Wrong())
    tensor = (TensorSpec("x", "float32", ("N", 3)),)
    manifest = Manifest("wrong", "pose2mesh", "wrong.onnx", "0" * 64, tensor, tensor, "Apache-2.0")
    write_manifest(manifest, tmp_path / "wrong.json")
    train = dataclasses.replace(motion, clip_split=np.where(np.arange(20) < 4, "train", "val"))
    save_motion(train, tmp_path / "motion.npz")
    return tmp_path


def parse(*words):
    return arguments_of("calibrate", calibrate, [str(word) for word in words])


def test_a_manifest_is_calibrated(artefact, capsys):
    path, report = artefact / "wrong.json", artefact / "reports" / "wrong.json"
    words = [path, "--motion", artefact / "motion.npz", "--samples", 100, "--json", report]
    assert calibrate.run(parse(*words, "--tolerance", 0)) == 1
    assert load_manifest(path).uncertainty is None
    assert calibrate.run(parse(*words, "--tolerance", 50)) == 0
    manifest = load_manifest(path)
    assert manifest.uncertainty is not None
    assert "hmr calibrate, 100 people, seed 1, motion.npz" in manifest.provenance["uncertainty"]
    assert json.loads(report.read_text())["rows"][0]["group"] == "all"
    Uncertainty(manifest.uncertainty, "coco_feet")
    out = capsys.readouterr().out
    assert "not written: the coverage of all people is off by" in out
    assert "2D: coco" in out
    assert "distance: beyond 8 m" in out


def test_images_of_people_whom_training_knows_are_refused(artefact, motion):
    shards = artefact / "shards"
    shards.mkdir()
    write_shard(
        ImageSampler(motion, BODY, "coco_feet", ImageMix()).sample(np.random.default_rng(0), 12), shard_path(shards, 0)
    )
    words = [artefact / "wrong.json", "--motion", artefact / "motion.npz", "--shards", shards, "--samples", 12]
    with pytest.raises(ValueError, match="--shards: expected people of the split, got clips"):
        calibrate.run(parse(*words))


class Fusing(Oldest):
    def close(self):
        pass


def test_a_fusion_is_calibrated_on_people_over_time(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(trial, "RATES_HZ", (10.0,))
    monkeypatch.setattr(trial, "IMAGES", 6)
    monkeypatch.setattr(calibrate, "open_engine", lambda path: Fusing())
    motion = waving(180)
    both = {f"clip_{name}": np.repeat(getattr(motion, f"clip_{name}"), 2) for name in ("subject", "category", "leg")}
    ids = {"clip_id": np.array(["a_01", "a_02"]), "clip_split": np.array(["val", "val"])}
    save_motion(dataclasses.replace(motion, clip=np.repeat([0, 1], [90, 90]), **both, **ids), tmp_path / "motion.npz")
    path = tmp_path / "fusion.json"
    write_manifest(dataclasses.replace(Oldest().manifest, uncertainty=None), path)
    words = (path, "--motion", tmp_path / "motion.npz", "--samples", 800)
    assert calibrate.run(parse(*words, "--tolerance", 0)) == 1
    assert load_manifest(path).uncertainty is None
    assert calibrate.run(parse(*words, "--tolerance", 100)) == 0
    found, single = load_manifest(path).uncertainty, load_manifest(models_dir() / "pose2mesh.json").uncertainty
    own = {name: getattr(found, name) for name in ("joint_radii", "forecast", "seen_power")}
    assert found == dataclasses.replace(single, **own)
    assert found.seen_power == -0.5, "as steep as it may be, of so few people"
    assert found.joint_radii != single.joint_radii
    assert found.forecast.root_along[0] < found.forecast.root_along[2]
    printed = capsys.readouterr().out
    assert "not written: the coverage of all people is off by" in printed
    assert {"all", "coco", "true"} <= {line.split()[0] for line in printed.splitlines() if " 0.25 " in line}
