# SPDX-License-Identifier: Apache-2.0
"""Global-to-Pixel under test: it reads crops of images, with or without keypoints."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from hmr_ros.core.arrays import Float32s, Floats
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.config import PerceptionSettings
from hmr_ros.core.fitting.placement import Placement
from hmr_ros.core.geometry.crop_view import CropView
from hmr_ros.core.geometry.keypoints import MIN_KEYPOINTS
from hmr_ros.core.geometry.rotation import rotmat_to_rotvec
from hmr_ros.core.manifest import Manifest
from hmr_ros.core.records import Record, join_rows
from hmr_ros.evaluation.held_out.case import Case, Prediction, Shown
from hmr_ros.networks.global_to_pixel import GlobalToPixel, MatchingTargets, SmplEstimate

GLOBAL, ORACLE, LOCAL = "global stage", "true pixels", "local stage"
CHUNK = 50
"""Crops per call of a network, which bounds the memory."""


@dataclass(frozen=True, eq=False)
class StageParameters(Record):
    """The output of one stage for B people, in their crop cameras.

    ``rotations`` (B, 24, 3, 3), ``betas`` (B, 10), ``crop_cam`` (B, 3) and ``joint_error`` (B, 24) as
    ``networks/global_to_pixel`` has them; the joint error is NaN except for the last stage.
    """

    stage: str
    rotations: Floats
    betas: Floats
    crop_cam: Floats
    joint_error: Floats

    @staticmethod
    def of(stage: str, estimate: SmplEstimate, joint_error: torch.Tensor) -> StageParameters:
        """A stage's estimate."""
        arrays = (estimate.rotations, estimate.betas, estimate.crop_cam, joint_error)
        return StageParameters(stage, *(x.float().cpu().numpy() for x in arrays))

    def predicted(self, view: CropView, body: BodyModel) -> Prediction:
        """The stage's bodies at the positions that it estimates."""
        rotations, cam_t = view.to_optical(self.rotations, self.crop_cam)
        pose = rotmat_to_rotvec(rotations)
        posed = body.posed(pose[:, 0], pose[:, 1:], self.betas, np.zeros_like(cam_t))
        return Prediction(self.stage, posed.vertices, posed.joints, cam_t, self.joint_error)


Network = Callable[..., tuple[list[StageParameters], Float32s]]
"""image (B, 256, 192, 3), keypoints (B, J, 3), camera (B, 3) -> outputs of its stages; the last is the network's.

Then (B, J, 3) the keypoints that it used: those that it was told, put right, or its own, crop units and score, 0 where
missing. With an oracle, true anchors (B, 24, 2) follow the inputs.
"""


@dataclass(frozen=True, eq=False)
class CropPredictor:
    """A network that reads crops. Each stage is evaluated as it is, and the last one as the robot publishes it.

    With an ``oracle``, the local stage with the pixels that it should match is one more. ``finds``: whether the network
    finds keypoints itself.
    """

    name: str
    joint_set: str
    network: Network
    body: BodyModel
    oracle: bool = False
    finds: bool = True
    reads_images = True

    def predict(self, case: Case) -> list[Prediction]:
        """Every stage alone, then the body that the robot would publish; ValueError for people without images."""
        shown = self._shown(case)
        stages, used = self.stages(shown)
        alone = [stage.predicted(shown.view, self.body) for stage in stages]
        rotations, cam_t = shown.view.to_optical(stages[-1].rotations, stages[-1].crop_cam)
        placement = Placement(self.body, self.joint_set)
        normalized, score = self._placing(case, shown, used)
        placed = placement.of_parameters(rotations, stages[-1].betas, cam_t, normalized, score)
        return [*alone, alone[-1].as_published("global_to_pixel", placed, self.body)]

    def with_own_keypoints(self, case: Case) -> Case | None:
        """``case`` as the robot knows it with keypoint_source ``own``; None of a network that finds no keypoints.

        The network is told nothing; bodies are fitted to what it finds, which Pose2Mesh may lift as well. The given
        keypoints have only said how people lie in the image.
        """
        if not self.finds:
            return None
        shown = self._shown(case)
        silent = dataclasses.replace(shown, keypoints=np.zeros_like(shown.keypoints))
        normalized, score = _seen(silent, self.stages(silent)[1])
        return dataclasses.replace(case, normalized=normalized, score=score, shown=silent)

    @staticmethod
    def _placing(case: Case, shown: Shown, used: Float32s) -> tuple[Floats, Floats]:
        """Keypoints on the plane z = 1, and scores, that the robot fits people of ``case`` to.

        Those that the network ``used``, where it was told some and is sure of enough; else the given ones.
        """
        normalized, score = _seen(shown, used)
        told, sure = (np.any(values > 0, axis=1, keepdims=True) for values in (shown.keypoints[..., 2], score))
        put_right = told & sure
        return np.where(put_right[..., None], normalized, case.normalized), np.where(put_right, score, case.score)

    def stages(self, shown: Shown) -> tuple[list[StageParameters], Float32s]:
        """The output of every stage, and the keypoints that were used.

        ValueError where an oracle does not know the ground truth.
        """
        inputs: tuple[NDArray[np.generic], ...] = (shown.image, shown.keypoints, shown.view.camera)
        if self.oracle:
            if shown.anchors is None:
                raise ValueError("--oracle: set --motion or --shards, whose joints are known in their images")
            inputs = (*inputs, shown.anchors)
        starts = range(0, len(shown.image), CHUNK)
        parts = [self.network(*(x[first : first + CHUNK] for x in inputs)) for first in starts]
        stages, used = zip(*parts, strict=True)
        return [join_rows(same) for same in zip(*stages, strict=True)], np.concatenate(used)

    def _shown(self, case: Case) -> Shown:
        if case.shown is None:
            raise ValueError(
                f"{self.name} reads images: evaluate it on --motion or --shards, which have images, or set --images"
            )
        return case.shown


def exported_crop_predictor(manifest: Manifest, content: bytes, body: BodyModel) -> CropPredictor:
    """The network of a manifest. The offline column imports no engines, so ONNX Runtime is called here directly."""
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    *parameters, keypoints = GlobalToPixel.output_names
    finds = any(output.name == keypoints for output in manifest.outputs)

    def network(*arrays: NDArray[np.generic]) -> tuple[list[StageParameters], Float32s]:
        names = [*parameters, keypoints] if finds else parameters
        found: list[Float32s] = session.run(names, dict(zip(GlobalToPixel.input_names, arrays, strict=True)))
        used = found.pop() if finds else np.asarray(arrays[1], np.float32)
        return [StageParameters(LOCAL, *found)], used

    return CropPredictor(manifest.name, str(manifest.joint_set), network, body, finds=finds)


def trained_crop_predictor(
    name: str, trained: GlobalToPixel, body: BodyModel, *, oracle: bool = False
) -> CropPredictor:
    """Both stages of a checkpoint's network; one where it has no local stage.

    ``oracle``: and the local stage with the pixels that are nearest to the true joints.
    """

    @torch.no_grad()
    def network(*arrays: NDArray[np.generic]) -> tuple[list[StageParameters], Float32s]:
        image, keypoints, camera, *anchors = map(torch.from_numpy, arrays)
        features = trained.features(image)
        right = trained.put_right(keypoints, features)
        used = trained.used(right, features).float().numpy()
        stages = trained.stages_of_right(features, right, camera)
        if trained.config.local == "off":
            return [StageParameters.of(GLOBAL, stages.coarse, stages.joint_error)], used
        unknown = torch.full_like(stages.joint_error, torch.nan)
        told = [MatchingTargets(places, torch.ones_like(places[..., 0], dtype=torch.bool)) for places in anchors]
        matched = [trained.stages_of_right(features, right, camera, targets).fine for targets in told]
        return [
            StageParameters.of(GLOBAL, stages.coarse, unknown),
            *(StageParameters.of(ORACLE, fine, unknown) for fine in matched),
            StageParameters.of(LOCAL, stages.fine, stages.joint_error),
        ], used

    has_local = trained.config.local == "on"
    return CropPredictor(name, trained.config.joint_set, network, body, oracle and has_local)


def _seen(shown: Shown, used: Float32s) -> tuple[Floats, Floats]:
    """Keypoints ``used`` (B, J, 3), on the plane z = 1 and their scores as the robot counts them: 0 where unsure."""
    score = np.where(used[..., 2] >= PerceptionSettings().keypoint_threshold, used[..., 2], 0.0)
    score[(score > 0).sum(1) < MIN_KEYPOINTS] = 0
    return shown.view.to_normalized(used[..., :2]), score
