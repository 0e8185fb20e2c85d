# SPDX-License-Identifier: Apache-2.0
import pytest

from hmr_ros.core.config import PipelineSettings
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.settings import updated
from hmr_ros.engines.sharing import behind
from hmr_ros.evaluation.crowd import CAMERA, crowd_image
from hmr_ros.perception.assemble import assemble
from hmr_ros.perception.shared import SharedParts

pytestmark = pytest.mark.skipif(not (models_dir() / "pose2mesh.json").is_file(), reason="needs the trained network")
CONFIG = updated(PipelineSettings(), {"model": "pose2mesh", "backend": "onnxruntime", "num_threads": 1})


def test_cameras_share_networks_and_body_model_but_no_ids():
    parts = SharedParts()
    first, second = assemble(CONFIG, parts), assemble(CONFIG, parts)
    assert first.body_model is second.body_model
    for one, other in zip(first.engines, second.engines, strict=True):
        assert behind(one) is behind(other)
    image, ids = crowd_image(first.body_model, 1), []
    for pipeline in (first, second):
        pipeline(image, CAMERA, 0.0)
        ids += pipeline(image, CAMERA, 0.1).bodies.ids.tolist()
    assert len(set(ids)) == len(ids) == 2

    first.close()  # the others' networks stay open
    assert len(second(image, CAMERA, 0.2).bodies) == 1
    second.close()


def test_a_restarted_process_gives_other_ids():
    first, second = SharedParts(), SharedParts()
    before = {next(first.ids) for _ in range(100)}
    after = {next(second.ids) for _ in range(100)}
    assert not before & after


def test_networks_that_run_otherwise_are_others():
    parts = SharedParts()
    first, second = assemble(CONFIG, parts), assemble(updated(CONFIG, {"num_threads": 2}), parts)
    assert behind(first.engines[0]) is not behind(second.engines[0])
    for pipeline in (first, second):
        pipeline.close()


def test_ids_begin_anywhere_below_two_billion(monkeypatch):
    limits = []
    monkeypatch.setattr("secrets.randbelow", lambda limit: limits.append(limit) or 17)
    parts = SharedParts()
    assert [next(parts.ids), next(parts.ids)] == [17, 18]
    assert 2**30 < limits[0] <= 2**31, "rarely the same, and room to count in 32 bits"
