# SPDX-License-Identifier: Apache-2.0
"""Everything together, from files to bodies, with a Global-to-Pixel that always says the same."""

import inspect

import numpy as np
import pytest

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.config import HandsConfig, PipelineSettings, SmoothingConfig
from hmr_ros.core.geometry.rotation import rotvec_to_rotmat
from hmr_ros.core.manifest import MODELS_VARIABLE, Manifest, TensorSpec, file_sha256, models_dir, write_manifest
from hmr_ros.core.skeleton import SMPL
from hmr_ros.evaluation.crowd import CAMERA, crowd_image
from hmr_ros.perception.assemble import assemble, open_body, open_pipeline
from hmr_ros.perception.presets import FAST

onnx = pytest.importorskip("onnx")

SHIPPED = models_dir()
BODY_MODEL = load_body_model(SHIPPED / "open_body.npz")
PEOPLE = 2
INPUTS = {
    "image": ("uint8", ("N", 256, 192, 3)),
    "keypoints": ("float32", ("N", 21, 3)),
    "camera": ("float32", ("N", 3)),
}
pytestmark = pytest.mark.skipif(not (SHIPPED / "pose2mesh.json").is_file(), reason="needs the trained network")


def standing():
    """The network's answer for all people: upright, facing the camera, arms hanging, filling the box."""
    turns = np.zeros((24, 3))
    turns[0, 0] = np.pi
    turns[SMPL.index("left_shoulder"), 2], turns[SMPL.index("right_shoulder"), 2] = -1.2, 1.2
    return {
        "rotations": rotvec_to_rotmat(turns),
        "betas": np.zeros(10),
        "crop_cam": np.array([0.9, 0.0, 0.0]),
        "joint_error": np.full(24, 0.05),
    }


def write_constant_network(directory, answers):
    """``global_to_pixel.onnx`` and ``.json``: ``answers``, repeated for every row of the input."""
    helper, kinds = onnx.helper, {"uint8": onnx.TensorProto.UINT8, "float32": onnx.TensorProto.FLOAT}
    constants = [onnx.numpy_helper.from_array(np.array([0]), "first")]
    nodes = [
        helper.make_node("Shape", ["camera"], ["camera_shape"]),
        helper.make_node("Gather", ["camera_shape", "first"], ["rows"]),
    ]
    for name, answer in answers.items():
        constants.append(onnx.numpy_helper.from_array(answer.astype(np.float32)[None], f"{name}_one"))
        constants.append(onnx.numpy_helper.from_array(np.array(answer.shape), f"{name}_rest"))
        nodes.append(helper.make_node("Concat", ["rows", f"{name}_rest"], [f"{name}_shape"], axis=0))
        nodes.append(helper.make_node("Expand", [f"{name}_one", f"{name}_shape"], [name]))
    outputs = {name: ("float32", ("N", *answer.shape)) for name, answer in answers.items()}
    graph = helper.make_graph(
        nodes,
        "constant",
        *(
            [helper.make_tensor_value_info(n, kinds[k], shape) for n, (k, shape) in t.items()]
            for t in (INPUTS, outputs)
        ),
        constants,
    )
    path = directory / "global_to_pixel.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    manifest = Manifest(
        name="global_to_pixel",
        kind="global_to_pixel",
        file=path.name,
        sha256=file_sha256(path),
        inputs=tuple(TensorSpec(name, *spec) for name, spec in INPUTS.items()),
        outputs=tuple(TensorSpec(name, *spec) for name, spec in outputs.items()),
        licence="Apache-2.0",
        joint_set="coco_feet",
        body_model_sha256=BODY_MODEL.sha256,
    )
    write_manifest(manifest, path.with_suffix(".json"))


@pytest.fixture
def models(tmp_path, monkeypatch):
    """The shipped models without Global-to-Pixel."""
    for path in SHIPPED.iterdir():
        if not path.name.startswith("global_to_pixel"):
            (tmp_path / path.name).symlink_to(path)
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path))
    return tmp_path


def bodies_of(model):
    """The bodies of a rendered image that was seen twice, and the pipeline."""
    image = crowd_image(BODY_MODEL, PEOPLE)
    with assemble(PipelineSettings(model=model, backend="onnxruntime")) as pipeline:
        pipeline(image, CAMERA, 0.0)
        return pipeline, pipeline(image, CAMERA, 0.1).bodies


def test_both_methods_from_their_files(models):
    write_constant_network(models, standing())
    pipeline, bodies = bodies_of("both")
    assert pipeline.method == "global_to_pixel"
    assert pipeline.networks[-2:] == ("global_to_pixel", "pose2mesh")
    assert bodies.valid.tolist() == [True] * PEOPLE
    np.testing.assert_allclose(bodies.joint_error, 0.05)
    assert (bodies.cam_t[:, 2] > 3).all()
    assert 0.005 < bodies.disagreement.mean() < 0.1


def test_without_its_file_pose2mesh_takes_over(models):
    pipeline, bodies = bodies_of("global_to_pixel")
    assert pipeline.method == "pose2mesh"
    assert bodies.valid.all()
    assert np.isnan(bodies.disagreement).all()


def test_arguments_of_open_pipeline_count_from_the_first_image(models):
    image = crowd_image(BODY_MODEL, PEOPLE)
    with open_pipeline(max_people=1, num_threads=1, backend="onnxruntime") as pipeline:
        assert len(pipeline.photo(image, CAMERA).bodies) == 1
        assert pipeline.facts[3] == ("backend", "onnxruntime")
    with open_pipeline(preset="fast", num_threads=1, backend="onnxruntime") as pipeline:
        assert pipeline.networks[:2] == FAST
    with open_pipeline(hands=True, num_threads=1, backend="onnxruntime") as pipeline:
        assert {"hand_recrop", "hand_landmarks"} < set(pipeline.networks)
        assert len(pipeline.photo(image, CAMERA).hands) == PEOPLE
    with assemble(PipelineSettings(hands=HandsConfig(enabled=True, network="lite"), num_threads=1)) as pipeline:
        assert "hand_landmarks_lite" in pipeline.networks
    with assemble(PipelineSettings(track_timeout_s=3.0, smoothing=SmoothingConfig(beta=1.0))) as pipeline:
        assert pipeline.tracker.options.timeout_s == 3.0
        assert pipeline.smoother.config.beta == 1.0


def test_a_body_is_the_shipped_one_or_that_of_a_file(models, tmp_path):
    assert open_body().sha256 == BODY_MODEL.sha256
    assert open_body(str(SHIPPED / "open_body.npz")).sha256 == BODY_MODEL.sha256
    with pytest.raises(ValueError, match=r"mine\.npz: no such body model"):
        open_body(tmp_path / "mine.npz")


def test_arguments_are_by_default_those_of_the_settings():
    for name, parameter in inspect.signature(open_pipeline).parameters.items():
        whole = PipelineSettings()
        settings, inner = {"preset": (whole.detector, name), "hands": (whole.hands, "enabled")}.get(name, (whole, name))
        assert parameter.default == getattr(settings, inner), name
