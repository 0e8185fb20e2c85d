# SPDX-License-Identifier: Apache-2.0
import argparse
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from hmr_ros.commands import export
from hmr_ros.core.manifest import file_sha256, load_manifest, models_dir
from hmr_ros.networks.hand_pose2mesh import HandPose2MeshConfig
from hmr_ros.training.checkpoint import load_checkpoint
from hmr_ros.training.config import RunConfig, StageConfig, TrainConfig
from hmr_ros.training.recipes import stage_names
from hmr_ros.training.recipes.hands import HandRecipe
from hmr_ros.training.trainer import Trainer

SMALL = TrainConfig(
    recipe="hands",
    run=RunConfig(motion="absent.npz", workers=0, validation_people=20, device="cpu"),
    hands=HandPose2MeshConfig(width=16, blocks=1),
    lift=StageConfig(steps=3, batch_size=8, warmup=1),
)


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    export.add_arguments(parser)
    return parser.parse_args(arguments)


def test_a_batch_is_in_the_hands_virtual_cameras():
    recipe = HandRecipe(SMALL)
    batch = recipe.batch(recipe.sampler("train", "lift"), np.random.default_rng(0), 6)
    assert batch.keypoints.shape == (6, 21, 3)
    assert batch.context.shape == (6, 1)
    assert (batch.joints[:, 0].abs() < 1e-6).all()
    assert batch.vertices.shape == (6, 778, 3)
    assert batch.vertices.dtype == torch.float32
    span = torch.linalg.vector_norm(batch.joints[:, 12] - batch.joints[:, 9], dim=-1)
    assert ((span > 0.01) & (span < 0.2)).all()
    # Seen from the virtual camera, points lie where the hand's joints are, but for offsets and errors.
    xy = batch.joints[..., :2] - batch.joints[..., :2].mean(1, keepdim=True)
    seen = batch.keypoints[..., :2] - batch.keypoints[..., :2].mean(1, keepdim=True)
    alike = torch.nn.functional.cosine_similarity(xy.flatten(1), seen.flatten(1))
    assert alike.median() > 0.95


def test_zeros_for_the_detectors_own_3d_say_that_there_is_none():
    torch.manual_seed(0)
    network = HandRecipe(SMALL).modules["network"]
    keypoints, context, world = torch.randn(2, 21, 3), torch.randn(2, 1), 0.05 * torch.randn(2, 21, 3)
    unknown, known = (network(keypoints, context, w)[1] for w in (torch.zeros_like(world), world))
    assert not torch.allclose(unknown, known, atol=1e-4)
    moved = network(keypoints, context, world + torch.tensor([0.3, -0.1, 0.8]))[1]
    assert torch.allclose(moved, known, atol=1e-5)  # about any point


def test_the_same_generator_makes_the_same_batch():
    recipe = HandRecipe(SMALL)
    sampler = recipe.sampler("train", "lift")
    first, second = (recipe.batch(sampler, np.random.default_rng(3), 4) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_training_lowers_the_loss_and_validation_is_in_mm():
    torch.manual_seed(0)
    recipe = HandRecipe(dataclasses.replace(SMALL, hands=HandPose2MeshConfig(width=64, blocks=1)))
    sampler = recipe.sampler("train", "lift")
    batch = recipe.batch(sampler, np.random.default_rng(0), 32)
    optimiser = torch.optim.AdamW(recipe.modules.parameters(), 3e-3)
    losses = []
    for _ in range(25):
        terms = recipe.loss(batch, "lift", 0.0)
        loss = torch.stack(list(terms.values())).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(terms["vertices"].item())
    assert losses[-1] < 0.6 * losses[0]
    report = recipe.validate(sampler, "lift")
    assert set(report) == {f"{error}_{source}" for error in ("pa_mpjpe", "pa_mpvpe") for source in ("true", "error")}
    assert all(5 < value < 100 for value in report.values())


@pytest.mark.slow
def test_a_run_needs_no_motion_resumes_and_is_exported(tmp_path: Path):
    assert stage_names(SMALL) == ("lift",)
    Trainer(SMALL, tmp_path / "run").train()
    last = load_checkpoint(tmp_path / "run" / "last.pt")
    assert (last.step, last.topology) == (3, {})
    longer = dataclasses.replace(SMALL, lift=dataclasses.replace(SMALL.lift, steps=4))
    Trainer(longer, tmp_path / "run", last).train()
    pytest.importorskip("onnxruntime")
    assert export.run(parsed(str(tmp_path / "run" / "best.pt"), "--out", str(tmp_path / "hands"))) == 0
    manifest = load_manifest(tmp_path / "hands.json")
    assert (manifest.kind, manifest.joint_set, manifest.body_model) == ("hand_pose2mesh", "mano", "open_hand")
    assert manifest.body_model_sha256 == file_sha256(models_dir() / "open_hand.npz")
    assert [spec.name for spec in manifest.outputs] == ["vertices", "joints", "joint_error"]
    assert manifest.normalisation == {"input": "virtual_camera"}
    assert "pa_mpjpe_error_mm" in manifest.metrics
