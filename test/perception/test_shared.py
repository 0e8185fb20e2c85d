# SPDX-License-Identifier: Apache-2.0
import pytest

from hmr_ros.bench.crowd import CAMERA, crowd_image
from hmr_ros.core.config import RobotConfig
from hmr_ros.core.manifest import models_dir
from hmr_ros.core.settings import updated
from hmr_ros.engines.sharing import behind
from hmr_ros.perception.assemble import assemble
from hmr_ros.perception.shared import SharedParts

pytestmark = pytest.mark.skipif(not (models_dir() / "pose2mesh.json").is_file(), reason="needs the trained network")
CONFIG = updated(RobotConfig(), {"model": "pose2mesh", "backend": "onnxruntime", "num_threads": 1})


def test_cameras_share_networks_and_body_model_but_no_ids():
    parts = SharedParts()
    first, second = assemble(CONFIG, parts), assemble(CONFIG, parts)
    assert first.pipeline.body_model is second.pipeline.body_model
    for one, other in zip(first.engines, second.engines, strict=True):
        assert behind(one) is behind(other)
    image, ids = crowd_image(first.pipeline.body_model, 1), []
    for assembly in (first, second):
        assembly.pipeline(image, CAMERA, 0.0)
        ids += assembly.pipeline(image, CAMERA, 0.1).ids.tolist()
    assert len(set(ids)) == len(ids) == 2

    first.close()  # the others' networks stay open
    assert len(second.pipeline(image, CAMERA, 0.2)) == 1
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
    for assembly in (first, second):
        assembly.close()
