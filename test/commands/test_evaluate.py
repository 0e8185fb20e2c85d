# SPDX-License-Identifier: Apache-2.0
import dataclasses
import json
import re

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from hmr_ros.cli import arguments_of
from hmr_ros.commands import evaluate
from hmr_ros.commands.evaluate import attention, held_out, run
from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import Manifest, TensorSpec, file_sha256, models_dir, write_manifest
from hmr_ros.core.settings import updated
from hmr_ros.evaluation.baselines import pose_prior, smplify
from hmr_ros.evaluation.held_out.case import observed
from hmr_ros.evaluation.held_out.predictor import body_of, open_predictor
from hmr_ros.evaluation.held_out.protocol import SOURCES
from hmr_ros.evaluation.sequences import trial
from hmr_ros.networks.global_to_pixel import GlobalToPixelConfig
from hmr_ros.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from hmr_ros.training.config import TrainConfig
from hmr_ros.training.datasets.motion import save_motion
from hmr_ros.training.recipes import make_recipe
from hmr_ros.training.synthetic.images import ImageMix, ImageSampler
from hmr_ros.training.synthetic.images.shards.shards import shard_path, write_shard
from hmr_ros.training.synthetic.people import PeopleMix, PeopleSampler
from test.training.datasets import made
from test.training.datasets.test_motion import small_motion
from test.training.synthetic.test_sequences import waving

BODY = load_body_model(models_dir() / "open_body.npz")


@pytest.fixture
def rest_pose_model(tmp_path):
    """A network that always answers with the rest pose, as ONNX with its manifest."""
    body = BODY
    joints = body.rest_joints(np.zeros((1, 10)))
    inputs = {"keypoints": ("N", 21, 3), "context": ("N", 1)}
    outputs = {"vertices": ("N", body.vertex_count, 3), "joints": ("N", 24, 3), "joint_error": ("N", 24)}
    answers = {
        "vertices": body.v_template[None] - joints[:, :1],
        "joints": joints - joints[:, :1],
        "joint_error": np.ones((1, 24)),
    }
    constants = [numpy_helper.from_array(x.astype(np.float32), f"{name}_rest") for name, x in answers.items()]
    constants += [
        numpy_helper.from_array(np.zeros(1, np.float32), "zero"),
        numpy_helper.from_array(np.array([1]), "axis"),
    ]
    nodes = [
        helper.make_node("Mul", ["context", "zero"], ["flat"]),
        helper.make_node("Unsqueeze", ["flat", "axis"], ["solid"]),
        *(helper.make_node("Add", [f"{n}_rest", "flat" if n == "joint_error" else "solid"], [n]) for n in outputs),
    ]

    def infos(specs):
        return [helper.make_tensor_value_info(n, TensorProto.FLOAT, list(s)) for n, s in specs.items()]

    graph = helper.make_graph(nodes, "rest", infos(inputs), infos(outputs), constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "rest.onnx")
    manifest = Manifest(
        name="rest",
        kind="pose2mesh",
        file="rest.onnx",
        sha256=file_sha256(tmp_path / "rest.onnx"),
        inputs=tuple(TensorSpec(n, "float32", s) for n, s in inputs.items()),
        outputs=tuple(TensorSpec(n, "float32", s) for n, s in outputs.items()),
        licence="Apache-2.0",
        joint_set="coco_feet",
        body_model="open_body.npz",
        body_model_sha256=body.sha256,
        normalisation={"input": "virtual_camera"},
    )
    write_manifest(manifest, tmp_path / "rest.json")
    return tmp_path / "rest.json", manifest


@pytest.fixture
def untrained_checkpoint(tmp_path):
    """Global-to-Pixel as it starts."""
    network = GlobalToPixelConfig(global_width=16, width=16, layers=1, heads=2, points=1, pixel_width=8)
    config = TrainConfig(recipe="global_to_pixel", global_to_pixel=network)
    recipe = make_recipe(config, small_motion(), BODY, None)
    weights = recipe.modules.state_dict()
    path = tmp_path / "run" / "best.pt"
    path.parent.mkdir()
    save_checkpoint(Checkpoint(config, recipe.topology, weights, weights, 1, 0, 0.0, {}, {}, {}), path)
    return path


def parse(*words):
    return arguments_of("evaluate", evaluate, [str(w) for w in words])


def test_an_exported_network_is_evaluated(rest_pose_model, tmp_path, capsys):
    save_motion(small_motion(), tmp_path / "motion.npz")
    path, out = rest_pose_model[0], tmp_path / "reports" / "rest.json"
    assert run(parse(path, "--motion", tmp_path / "motion.npz", "--samples", 60, "--json", out)) == 0
    report = json.loads(out.read_text())
    everyone = [row for row in report["rows"] if row["grouping"] == "all"]
    assert [row["source"] for row in everyone] == ["true", "human36m", "coco"]
    assert all(row["count"] == 60 for row in everyone)
    assert 150 < everyone[0]["mpjpe"]["mean"] < 1000
    parts = [row for row in report["rows"] if row["source"] == "true" and row["grouping"] == "view"]
    assert sum(row["count"] for row in parts) == 60
    assert "view: back" in capsys.readouterr().out


def test_cameras_far_from_people_and_high_above_them_are_evaluated(rest_pose_model, tmp_path, capsys):
    save_motion(small_motion(), tmp_path / "motion.npz")
    people = [rest_pose_model[0], "--motion", tmp_path / "motion.npz", "--samples", 8]
    assert run(parse(*people, "--distance", 15, 25, "--camera-height", 6, 8)) == 0
    assert "people at 15 to 25 m, cameras at 6 to 8 m" in capsys.readouterr().out
    mix = held_out.cameras_of(parse(*people, "--distance", 15, 25, "--camera-height", 6, 8))
    assert (mix.distance, mix.height) == ((15, 25), (6, 8))
    assert np.rad2deg(np.arctan2(8, 4)) < mix.pitch
    with pytest.raises(ValueError, match=r"cameras, distance: expected 0 < LOW <= HIGH in m, got 5 2"):
        run(parse(*people, "--distance", 5, 2))
    with pytest.raises(ValueError, match="--distance and --camera-height: of people who are drawn from --motion"):
        run(parse(*people, "--ground", "--distance", 2, 5))


def test_a_baseline_is_evaluated_on_the_same_people(rest_pose_model, tmp_path, monkeypatch):
    for name in ("CAMERA_STEPS", "ROUND_STEPS"):
        monkeypatch.setattr(smplify, name, 1)
    for name, value in (("FRAMES", 200), ("COMPONENTS", 1), ("_ROUNDS", 1)):
        monkeypatch.setattr(pose_prior, name, value)
    save_motion(small_motion(), tmp_path / "motion.npz")
    arguments = [rest_pose_model[0], "--samples", 3, "--baseline", "smplify", "--json", tmp_path / "report.json"]
    assert run(parse(*arguments, "--motion", tmp_path / "motion.npz")) == 0
    rows = json.loads((tmp_path / "report.json").read_text())["rows"]
    everyone = [(row["source"], row["output"]) for row in rows if row["grouping"] == "all"]
    assert everyone == [(s, method) for s in ("true", "human36m", "coco") for method in ("pose2mesh", "smplify")]
    with pytest.raises(ValueError, match="--baseline: give --prior"):
        run(parse(*arguments, "--annotations", tmp_path / "absent"))


@pytest.mark.slow
def test_both_methods_are_evaluated_on_the_same_images(untrained_checkpoint, rest_pose_model, tmp_path, capsys):
    save_motion(small_motion(), tmp_path / "motion.npz")
    out, shards = tmp_path / "report.json", tmp_path / "shards"
    people = ["--samples", 12, "--beside", rest_pose_model[0]]
    assert run(parse(untrained_checkpoint, "--motion", tmp_path / "motion.npz", *people, "--json", out)) == 0
    report = json.loads(out.read_text())
    everyone = {(row["source"], row["output"]): row for row in report["rows"] if row["grouping"] == "all"}
    both = {"global stage", "local stage", "global_to_pixel", "pose2mesh"}
    for source in ("true", "human36m", "coco"):
        assert {output for of, output in everyone if of == source} == both | {"mean of both", "weighted", "chosen"}
    assert {output for of, output in everyone if of == "projection"} == both - {"pose2mesh"}
    assert all(row["count"] == 12 for row in everyone.values())
    published, alone = everyone["true", "global_to_pixel"], everyone["true", "local stage"]
    assert published["pck_05"]["mean"] > alone["pck_05"]["mean"], "the robot fits bodies to their keypoints"
    blind, alone = everyone["projection", "global_to_pixel"], everyone["projection", "local stage"]
    assert blind["mpjpe"]["mean"] == pytest.approx(alone["mpjpe"]["mean"], abs=0.1), "nothing to fit to"
    assert [text.split(":")[0] for text in report["verdicts"]] == [*SOURCES, "own", "true", "human36m", "coco", "own"]
    assert re.match(r"own: both methods' errors correlate by -?[01]\.\d\d$", report["verdicts"][-1])

    sampler = ImageSampler(small_motion().select("val"), BODY, "coco_feet", ImageMix())
    shards.mkdir()
    write_shard(sampler.sample(np.random.default_rng(0), 8), shard_path(shards, 0))
    assert run(parse(untrained_checkpoint, "--shards", shards, "--samples", 6)) == 0
    assert re.search(r"^projection +local stage +all +6 ", capsys.readouterr().out, re.MULTILINE)


@pytest.mark.slow
def test_spins_own_files_are_evaluated_with_images_or_without(untrained_checkpoint, rest_pose_model, tmp_path, capsys):
    people = made.people(["a.jpg", "b.jpg"])
    path = made.write_spin(tmp_path / "spin.npz", people)
    made.write_images(people, tmp_path)
    annotations = ["--annotations", path, "--format", "spin"]
    assert run(parse(rest_pose_model[0], *annotations)) == 0
    assert run(parse(untrained_checkpoint, *annotations, "--images", tmp_path)) == 0
    assert "annotated  global_to_pixel  all    2" in capsys.readouterr().out
    with pytest.raises(ValueError, match="or set --images"):
        run(parse(untrained_checkpoint, *annotations))
    (tmp_path / "b.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"no image b.jpg, nor in images/"):
        run(parse(untrained_checkpoint, *annotations, "--images", tmp_path))


def test_people_who_cannot_be_evaluated_are_named_with_their_file(rest_pose_model, tmp_path):
    people = made.people(["a.jpg", "b.jpg"])
    nowhere = {"part": None, "S": None, "scale": np.full(2, np.nan)}
    path = made.write_spin(tmp_path / "spin.npz", people, **nowhere)
    arguments = ["--annotations", path, "--format", "spin"]
    with pytest.raises(ValueError, match=r"spin\.npz: image a\.jpg, person a\.jpg: expected a box .* take it out"):
        run(parse(rest_pose_model[0], *arguments))
    made.write_spin(path, people, has_smpl=np.zeros(2))
    with pytest.raises(ValueError, match=r"spin\.npz: no person of these annotations has SMPL parameters; use --prot"):
        run(parse(rest_pose_model[0], *arguments))


def test_a_protocol_reports_errors_and_what_they_depend_on(untrained_checkpoint, rest_pose_model, tmp_path, capsys):
    people = made.people(["S1/Seq1/frame_1.jpg", "S1/Seq1/frame_2.jpg", "S1/Seq1/frame_3.jpg"])
    path = tmp_path / "mpi_inf_3dhp" / "mpi_inf_3dhp_valid.npz"
    made.write_spin(path, people, pose=None, shape=None, has_smpl=None)
    made.write_images(people, tmp_path / "mpi_inf_3dhp" / "images")
    protocol = ["--protocol", "mpi-inf-3dhp", "--data", tmp_path]
    assert run(parse(rest_pose_model[0], *protocol)) == 0
    assert run(parse(untrained_checkpoint, *protocol, "--json", tmp_path / "out" / "report.json")) == 0
    out = capsys.readouterr().out
    assert f"{path}, sha256 {file_sha256(path)}" in out
    assert f"open_body.npz, sha256 {BODY.sha256}" in out
    assert "assumed (docs/datasets.md)" in out
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert [row["output"] for row in report["rows"]] == ["global stage", "local stage", "global_to_pixel"]
    assert set(report["rows"][0]["errors"]) == {"MPJPE", "PA-MPJPE", "PCK", "AUC"}
    with pytest.raises(ValueError, match="--protocol and --data go together"):
        run(parse(rest_pose_model[0], "--data", tmp_path))


@pytest.mark.parametrize("words", [["models/pose2mesh.json", "--motion", "motion.npz"], ["best.pt", "--data", "DATA"]])
def test_attention_is_drawn_of_checkpoints_on_people_who_are_drawn(words):
    with pytest.raises(ValueError, match="--attention: expected a checkpoint"):
        attention.run(parse(*words, "--attention", "a.png"))


def test_a_checkpoint_is_evaluated_with_its_own_body_or_not_at_all(untrained_checkpoint, tmp_path):
    other = made.smpl_like_body(tmp_path / "smpl.npz")
    checkpoint = load_checkpoint(untrained_checkpoint)
    settings = updated(checkpoint.config, {"run.body": str(other)})
    sha256 = file_sha256(other)
    save_checkpoint(dataclasses.replace(checkpoint, config=settings, body_sha256=sha256), untrained_checkpoint)
    assert body_of(untrained_checkpoint) == other
    assert open_predictor(untrained_checkpoint, load_body_model(other)).body.sha256 == sha256
    with pytest.raises(ValueError, match=r"another body model \(.*smpl.npz\) than given; set --body"):
        open_predictor(untrained_checkpoint, BODY)


def test_only_the_other_method_is_put_beside(rest_pose_model, tmp_path):
    save_motion(small_motion(), tmp_path / "motion.npz")
    with pytest.raises(ValueError, match="--beside: expected the other method"):
        run(parse(rest_pose_model[0], "--motion", tmp_path / "motion.npz", "--beside", rest_pose_model[0]))


def test_networks_that_look_need_images(untrained_checkpoint, rest_pose_model):
    predictor = open_predictor(untrained_checkpoint, BODY)
    people = PeopleSampler(small_motion(), BODY, "coco_feet", PeopleMix()).sample(np.random.default_rng(0), 4)
    case = observed(people, "coco_feet", None, BODY, np.random.default_rng(0))
    with pytest.raises(ValueError, match="reads images: evaluate it on --motion or --shards"):
        predictor.predict(case)


def test_unusable_models_are_explained(rest_pose_model, tmp_path):
    save_motion(small_motion(), tmp_path / "motion.npz")
    path, manifest = rest_pose_model
    with pytest.raises(ValueError, match=r"rest.onnx: expected a manifest \(.json\) or a checkpoint \(.pt\)"):
        run(parse(path.with_suffix(".onnx"), "--motion", tmp_path / "motion.npz"))
    write_manifest(dataclasses.replace(manifest, body_model_sha256="0" * 64), path)
    with pytest.raises(ValueError, match=r"rest.json: the network estimates open_body.npz, another body .* set --body"):
        run(parse(path, "--motion", tmp_path / "motion.npz"))
    write_manifest(dataclasses.replace(manifest, kind="landmarks"), path)
    with pytest.raises(ValueError, match="expected a network of kind"):
        run(parse(path, "--motion", tmp_path / "motion.npz"))


@pytest.mark.parametrize(
    "arguments", [["best.pt", "--motion", "motion.npz"], ["models/pose2mesh.json", "--shards", "shards"]]
)
def test_people_on_the_ground_need_a_manifest_and_motion(arguments):
    with pytest.raises(ValueError, match=r"--ground: expected the manifest \(\.json\)"):
        run(parse("--ground", *arguments))


def test_people_over_time_are_evaluated(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(trial, "RATES_HZ", (10.0,))
    monkeypatch.setattr(trial, "IMAGES", 6)
    save_motion(waving(), tmp_path / "motion.npz")
    out = tmp_path / "report.json"
    words = (models_dir() / "pose2mesh.json", "--sequences", "--motion", tmp_path / "motion.npz", "--split", "train")
    assert run(parse(*words, "--samples", 6, "--json", out)) == 0
    assert "NaN" not in out.read_text()
    report = json.loads(out.read_text())
    everyone = [row for row in report["rows"] if row["group"] == "all"]
    assert [(row["source"], row["output"]) for row in everyone[:2]] == [
        ("true", "single images"),
        ("true", "one-euro"),
    ]
    assert {row["source"] for row in everyone} == {"true", "human36m", "coco"}
    assert report["forecasts"] == []
    assert "one-euro" in capsys.readouterr().out


def test_what_people_over_time_need_is_explained(rest_pose_model, tmp_path):
    with pytest.raises(ValueError, match=r"--sequences: expected the manifest"):
        run(parse("best.pt", "--sequences", "--motion", "motion.npz"))
    with pytest.raises(ValueError, match="--fusion: fuses poses over time; give --sequences"):
        run(parse("best.json", "--fusion", "fusion.json", "--motion", "motion.npz"))
    path, manifest = rest_pose_model
    save_motion(small_motion(), tmp_path / "motion.npz")
    write_manifest(dataclasses.replace(manifest, normalisation={"input": "pixels"}), path)
    with pytest.raises(ValueError, match=r"rest\.json: expected the manifest of a compact Pose2Mesh"):
        run(parse(path, "--sequences", "--motion", tmp_path / "motion.npz"))
