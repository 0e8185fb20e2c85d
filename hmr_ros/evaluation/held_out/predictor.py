# SPDX-License-Identifier: Apache-2.0
"""A network to evaluate: an exported one through ONNX Runtime, or a checkpoint of a training run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from numpy.random import Generator

from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.manifest import load_manifest, verify
from hmr_ros.evaluation.held_out.case import Case, Prediction, SyntheticPeople, observed
from hmr_ros.evaluation.held_out.crop_predictor import (
    CropPredictor,
    exported_crop_predictor,
    trained_crop_predictor,
)
from hmr_ros.evaluation.held_out.keypoint_predictor import exported_keypoint_predictor, trained_keypoint_predictor
from hmr_ros.evaluation.held_out.protocol import SOURCES
from hmr_ros.networks.global_to_pixel import GlobalToPixel
from hmr_ros.training.checkpoint import load_checkpoint
from hmr_ros.training.recipes import trained_network

EXPORTED = ("pose2mesh", "global_to_pixel")
"""Kinds of manifests that estimate bodies."""


class Predictor(Protocol):
    """A method under test."""

    @property
    def name(self) -> str:
        """The name of the network."""

    @property
    def joint_set(self) -> str:
        """The joint set of the keypoints that it reads."""

    @property
    def reads_images(self) -> bool:
        """Whether its cases need images (``Case.shown``); if so, it works without keypoints, too."""

    def predict(self, case: Case) -> list[Prediction]:
        """One or several predictions of the same people; the robot publishes the last."""


def own_case(predictors: Sequence[Predictor], people: SyntheticPeople, body: BodyModel, rng: Generator) -> Case | None:
    """``people`` with the keypoints that the first of ``predictors`` that reads images finds; None where none does.

    A detector with gross errors tells how they lie in the image, as the robot's does.
    """
    for predictor in predictors:
        if isinstance(predictor, CropPredictor):
            return predictor.with_own_keypoints(observed(people, predictor.joint_set, SOURCES["coco"], body, rng))
    return None


def body_of(path: Path) -> Path | None:
    """The body model's file that the checkpoint ``path`` was trained on; None: the shipped one, or a manifest."""
    body = load_checkpoint(path).config.run.body if path.suffix == ".pt" else ""
    return Path(body) if body else None


def open_predictor(path: Path, body: BodyModel, *, oracle: bool = False) -> Predictor:
    """The network of a manifest (.json) or of a checkpoint (.pt), which must estimate ``body``.

    ``oracle``: with what Global-to-Pixel would estimate if it matched the right pixels.
    """
    if path.suffix == ".json":
        if oracle:
            raise ValueError(f"--oracle: {path}: expected a checkpoint (.pt) of Global-to-Pixel")
        return _exported(path, body)
    if path.suffix == ".pt":
        return _trained(path, body, oracle)
    raise ValueError(f"{path}: expected a manifest (.json) or a checkpoint (.pt)")


def _exported(path: Path, body: BodyModel) -> Predictor:
    manifest = load_manifest(path)
    if manifest.kind not in EXPORTED or not manifest.joint_set:
        raise ValueError(f"{path}: expected a network of kind {EXPORTED} with a joint set, got {manifest.kind!r}")
    if manifest.body_model_sha256 not in (None, body.sha256):
        raise ValueError(
            f"{path}: the network estimates {manifest.body_model}, another body model than given; set --body"
        )
    content = verify(manifest, path)
    opened = exported_crop_predictor if manifest.kind == "global_to_pixel" else exported_keypoint_predictor
    return opened(manifest, content, body)


def _trained(path: Path, body: BodyModel, oracle: bool) -> Predictor:
    """The averaged weights, as ``hmr export`` would export them."""
    checkpoint, name = load_checkpoint(path), path.parent.name
    if checkpoint.body_sha256 not in ("", body.sha256):
        trained_on = checkpoint.config.run.body or "open_body.npz"
        raise ValueError(f"{path}: the network was trained on another body model ({trained_on}) than given; set --body")
    trained = trained_network(checkpoint, body)
    if isinstance(trained, GlobalToPixel):
        return trained_crop_predictor(name, trained, body, oracle=oracle)
    if oracle:
        raise ValueError(f"--oracle: {path}: expected a checkpoint of Global-to-Pixel")
    return trained_keypoint_predictor(name, checkpoint, trained, body)
