# SPDX-License-Identifier: Apache-2.0
import dataclasses
import logging

import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.config import PerceptionSettings
from hmr_ros.core.manifest import ManifestError, load_manifest, models_dir
from hmr_ros.core.settings import updated
from hmr_ros.core.temporal.smoothing import BodySmoother
from hmr_ros.engines.opening import open_engine
from hmr_ros.perception import methods
from hmr_ros.perception.fusion import FusingSmoother
from hmr_ros.perception.keypoints import KeypointOptions
from hmr_ros.perception.methods import open_method, open_smoother
from test.perception.test_fusion import Oldest
from test.perception.test_global_to_pixel import BARREL, IMAGE, MANIFEST, Oracle, detections, people

BODY_MODEL = load_body_model(models_dir() / "open_body.npz")
SHIPPED = models_dir() / "pose2mesh.json"
pytestmark = pytest.mark.skipif(not SHIPPED.is_file(), reason="needs the trained network")


@pytest.fixture
def models(tmp_path, monkeypatch):
    """A directory of models with Pose2Mesh alone."""
    for path in (SHIPPED, load_manifest(SHIPPED).model_path(SHIPPED)):
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.setattr(methods, "models_dir", lambda: tmp_path)
    return tmp_path


def opened(**changes):
    """The method, and the names of the networks that were opened."""
    ground_truth, names = people(2), []

    def open_network(path):
        names.append(path.name)
        return Oracle(ground_truth) if path.stem == "global_to_pixel" else open_engine(path, threads=1)

    settings = updated(PerceptionSettings(), changes)
    method = open_method(settings, BODY_MODEL, open_network)
    method.estimator.configure(settings)
    return method, names, ground_truth


def smoother(**changes):
    """The smoother, and the names of the networks that were opened."""
    names = []

    def open_network(path):
        names.append(path.name)
        return Oldest()

    return open_smoother(updated(PerceptionSettings(), changes), BODY_MODEL, open_network), names


def test_poses_are_fused_where_the_settings_ask_for_it(models):
    (models / "fusion.json").touch()
    found, names = smoother(fusion=True)
    assert isinstance(found.smoother, FusingSmoother)
    assert (names, len(found.engines)) == (["fusion.json"], 1)
    for changes in ({"fusion": False}, {"fusion": True, "model": "both"}, {"fusion": True, "model": "global_to_pixel"}):
        found, names = smoother(**changes)
        assert (type(found.smoother), names, found.engines) == (BodySmoother, [], ())


def test_poses_are_filtered_with_a_warning_where_the_network_is_missing(models, caplog):
    with caplog.at_level(logging.WARNING):
        found, names = smoother(fusion=True)
    assert (type(found.smoother), names) == (BodySmoother, [])
    (record,) = (r for r in caplog.records if r.name == methods.__name__)
    for words in (str(models / "fusion.json"), "is missing", "fusion is true", "git checkout models"):
        assert words in record.getMessage()


@pytest.mark.parametrize("model", ["global_to_pixel", "both"])
def test_pose2mesh_replaces_a_missing_network_with_one_warning(models, caplog, model):
    with caplog.at_level(logging.WARNING):
        method, names, _ = opened(model=model)
    assert method.estimator.method == "pose2mesh"
    assert names == ["pose2mesh.json"]
    (record,) = (r for r in caplog.records if r.name == methods.__name__)
    for words in (str(models / "global_to_pixel.json"), "is missing", f"model is {model}", "git checkout models"):
        assert words in record.getMessage()


def test_existing_networks_are_opened_without_a_warning(models, caplog):
    (models / "global_to_pixel.json").touch()
    for model, expected in (
        ("pose2mesh", ["pose2mesh.json"]),
        ("global_to_pixel", ["global_to_pixel.json"]),
        ("both", ["global_to_pixel.json", "pose2mesh.json"]),
    ):
        method, names, _ = opened(model=model)
        assert names == expected
        assert len(method.engines) == len(expected)
    assert not [r for r in caplog.records if r.name == methods.__name__]


def test_a_path_that_was_asked_for_is_no_matter_of_falling_back(models):
    with pytest.raises(ManifestError, match=r"mine\.json: no such manifest"):
        opened(model="global_to_pixel", model_path=str(models / "mine.json"))


def test_both_give_the_bodies_of_one_and_the_distance_of_the_other(models):
    (models / "global_to_pixel.json").touch()
    method, _, ground_truth = opened(model="both")
    found = detections(ground_truth, BARREL)
    alone, _, _ = opened(model="global_to_pixel")
    estimates = method.estimator.estimate(IMAGE, found, BARREL)
    expected = alone.estimator.estimate(IMAGE, found, BARREL)
    assert method.estimator.method == "global_to_pixel"
    np.testing.assert_array_equal(estimates.body_pose, expected.body_pose)
    assert np.isnan(expected.disagreement).all()
    assert (estimates.disagreement[:, 1:] > 0).all()
    assert estimates.disagreement.mean() < 0.15  # Pose2Mesh knows these upright people, too


def test_settings_reach_every_network(models):
    (models / "global_to_pixel.json").touch()
    method, _, ground_truth = opened(model="both", anchors="projection", keypoint_threshold=0.95)
    found = detections(ground_truth, score=0.9)
    oracle = method.engines[0]
    estimates = method.estimator.estimate(IMAGE, found, BARREL)
    assert not oracle.asked[-1]["keypoints"].any()
    assert estimates.valid.all()
    assert np.isnan(estimates.disagreement).all()  # no keypoint is left for Pose2Mesh
    method.estimator.configure(updated(PerceptionSettings(), {"keypoint_threshold": 0.5}))
    estimates = method.estimator.estimate(IMAGE, found, BARREL)
    assert oracle.asked[-1]["keypoints"].any()
    assert np.isfinite(estimates.disagreement).all()


def test_a_network_of_another_kind_is_refused(models):
    wrong = Oracle(people(1), dataclasses.replace(MANIFEST, kind="person_boxes"))
    settings = updated(PerceptionSettings(), {"model": "global_to_pixel", "model_path": "mine.json"})
    with pytest.raises(ManifestError, match="expected kind global_to_pixel"):
        open_method(settings, BODY_MODEL, lambda path: wrong)


@pytest.mark.parametrize("model", ["pose2mesh", "global_to_pixel"])
def test_keypoint_options_follow_the_settings(models, model):
    (models / "global_to_pixel.json").touch()
    method, _, _ = opened(model=model, keypoint_threshold=0.4, min_keypoints=9)
    estimator = method.estimator
    options = estimator.keypoint_options if model == "pose2mesh" else estimator.options.keypoints
    assert options == KeypointOptions(threshold=0.4, minimum=9)
