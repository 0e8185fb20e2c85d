# SPDX-License-Identifier: Apache-2.0
"""Global-to-Pixel: a body from the crop as a whole, corrected by what pixels at its keypoints show.

Source: Xiao et al., "Global-to-Pixel Regression for Human Mesh Recovery", ECCV 2024. No code of it is public: sizes and
costs that the paper's summary leaves open are those of its nearest relatives, named where they are used.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from hmr_ros.core.body.skinned_model import SkinnedModel
from hmr_ros.core.body.skinning import Tree
from hmr_ros.core.geometry.crop_view import CROP_SHAPE
from hmr_ros.core.skeleton import joint_set_named
from hmr_ros.networks.global_to_pixel.anchors import KeypointAnchors
from hmr_ros.networks.global_to_pixel.backbones import build_backbone
from hmr_ros.networks.global_to_pixel.config import GlobalToPixelConfig
from hmr_ros.networks.global_to_pixel.estimate import (
    MeanPose,
    MeanState,
    SmplDecoder,
    SmplEstimate,
    SmplState,
    parameters,
)
from hmr_ros.networks.global_to_pixel.features import Backbone, Features
from hmr_ros.networks.global_to_pixel.global_stage import GlobalStage
from hmr_ros.networks.global_to_pixel.layers import zero_linear
from hmr_ros.networks.global_to_pixel.lifting import KeypointLifting, Lifted, enough
from hmr_ros.networks.global_to_pixel.local_stage import LocalEncoder
from hmr_ros.networks.global_to_pixel.matching import (
    MatchingTargets,
    PixelPredictions,
    best_scored,
    gather_mean,
    match,
    match_fixed,
)
from hmr_ros.networks.global_to_pixel.merging import KeypointMerger, Merged
from hmr_ros.networks.global_to_pixel.pixels import GRID, KeypointPixels, PersonPixels, PixelFeatures
from hmr_ros.networks.global_to_pixel.residual import ResidualHeads

FIRST_JOINT_ERROR = -3.0
"""Before softplus: an untrained network expects to be 5 cm off."""


class Stages(NamedTuple):
    """Everything that has a loss.

    ``coarse`` and ``fine``: the two stages' estimates, one and the same without a local stage. ``joint_error`` (B, 24)
    m: how far off each joint of ``fine`` is expected to be. ``pixels`` and ``positives`` (B, U, k), the pixels in use
    (-1 pads): None without a local stage.
    """

    coarse: SmplEstimate
    fine: SmplEstimate
    joint_error: Tensor
    pixels: PixelPredictions | None
    positives: Tensor | None


class PixelStage(nn.Module):
    """Stage 2: reads the image at the anchors, matches pixels, corrects the estimate it is given."""

    def __init__(self, config: GlobalToPixelConfig, backbone: Backbone, decoder: SmplDecoder, tree: Tree) -> None:
        super().__init__()
        if config.match == "fixed" and config.match_unit == "person":
            raise ValueError('match: expected "dynamic" for match_unit "person", which has no place, got "fixed"')
        self.config = config
        self.decoder = decoder
        self.anchors = KeypointAnchors(joint_set_named(config.joint_set))
        self.encoder = LocalEncoder(config, backbone, tree)
        self.features = PixelFeatures(backbone.channels, config.pixel_width)
        self.pixels: KeypointPixels | PersonPixels
        if config.match_unit == "person":
            self.pixels = PersonPixels(config.pixel_width, decoder, tree)
        else:
            self.pixels = KeypointPixels(config.pixel_width, tree)
        self.pixel_token = zero_linear(config.pixel_width, config.width)
        self.heads = ResidualHeads(config.width, tree)
        self.joint_error = nn.Linear(config.width, 1)
        nn.init.constant_(self.joint_error.bias, FIRST_JOINT_ERROR)

    def forward(
        self,
        features: Features | None,
        coarse: SmplEstimate,
        base: SmplState,
        keypoints: Tensor,
        lifted: Lifted,
        camera: Tensor,
        targets: MatchingTargets | None,
        expected: Tensor | None,
    ) -> Stages:
        """Read the image around ``keypoints`` (B, J, 3), else ``coarse``, and correct ``base``; ``camera`` (B, 3).

        Where keypoints have corrected the start and left the errors ``expected`` (B, 24) m, only what the image changes
        of the correction is added: the keypoints say nothing new, and correcting an estimate by them again makes it
        worse. No gradient reaches ``coarse`` or ``base``.
        """
        start = coarse.detach()
        anchors = self.anchors(keypoints, start.anchors)
        known = self.encoder.queries.known(anchors, start, lifted, camera)
        tokens = self.encoder(features, anchors, known)
        if features is None:
            state = base.plus(self.heads(tokens, base, camera))
            return Stages(coarse, self.decoder(state, camera), self._joint_error(tokens), None, None)
        of_pixels = self.features(features.levels)
        pixels = self.pixels(of_pixels, base, camera)
        positives = self._positives(pixels, targets)
        chosen = gather_mean(of_pixels, positives)
        tokens = tokens + self.pixel_token(chosen)
        correction, error = self.heads(tokens, base, camera), self._joint_error(tokens)
        if expected is not None:
            blind = self.encoder(None, anchors, known)
            correction = correction.minus(self.heads(blind, base, camera))
            error = expected * error / self._joint_error(blind)
        state = self.pixels.corrected(base.plus(correction), chosen)
        return Stages(coarse, self.decoder(state, camera), error, pixels, positives)

    def reading_images(self) -> list[nn.Module]:
        """What reads images, and what expects an error: the parts that keypoints alone do not need."""
        readings = [layer.get_submodule("reading") for layer in self.encoder.layers]
        queries = self.encoder.queries
        return [queries.local, queries.crop, *readings, self.features, self.pixels, self.pixel_token, self.joint_error]

    def correcting(self) -> nn.Module:
        """All others: what corrects an estimate by keypoints alone."""
        others = {id(weight) for module in self.reading_images() for weight in module.parameters()}
        return nn.ParameterList(weight for weight in self.parameters() if id(weight) not in others)

    def _joint_error(self, tokens: Tensor) -> Tensor:
        """Tokens (B, 24, W) -> expected errors (B, 24) m. They must not change the tokens, so no gradient goes back."""
        return softplus(self.joint_error(tokens.detach())[..., 0].float())

    def _positives(self, pixels: PixelPredictions, targets: MatchingTargets | None) -> Tensor:
        if targets is None:
            return best_scored(pixels.logits)
        if self.config.match == "fixed":
            return match_fixed(pixels, targets, 1 / pixels.centres.new_tensor(GRID[::-1]))
        return match(pixels, targets, self.config.dynamic_k)


class GlobalToPixel(nn.Module):
    """The whole network; its ``forward`` is what is exported.

    ``image`` (B, 256, 192, 3) uint8 RGB, the crop of a person's box. ``keypoints`` (B, J, 3): x, y in crop units and
    the score; where it is 0 the place is ignored, but must be finite. ``camera`` (B, 3): see ``crop_camera``.

    The global stage starts from the mean body, or from what keypoints say (``config.start``): the backbone's own, or
    the given ones, which it may put right before (``config.merge``). A person of whom too few are given is refined
    with the keypoints that the backbone itself sees, without any around the joints that the global stage expects.
    """

    input_names = ("image", "keypoints", "camera")
    output_names = ("rotations", "betas", "crop_cam", "joint_error", "used_keypoints")

    def __init__(self, config: GlobalToPixelConfig, body: SkinnedModel, mean: MeanPose) -> None:
        """Untrained. ``mean`` is replaced by that of a checkpoint when its weights are loaded.

        ``body`` may be a hand, whose 16 joints then take the place of SMPL's, with ``config.joint_set`` "mano".
        """
        super().__init__()
        self.config = config
        self.mean = MeanState(mean)
        self.decoder = SmplDecoder(body)
        self.backbone = build_backbone(config)
        pooled = self.backbone.pooled_channels
        self.merger = KeypointMerger(joint_set_named(config.joint_set)) if config.merge else None
        self.lifting = KeypointLifting(config, body.tree)
        self.global_stage = GlobalStage(pooled, config, parameters(body.tree))
        if config.corrects:
            self.pixel_stage = PixelStage(config, self.backbone, self.decoder, body.tree)
        if config.local == "off":
            self.joint_error = nn.Linear(pooled, body.tree.size)
            nn.init.constant_(self.joint_error.bias, FIRST_JOINT_ERROR)

    def features(self, image: Tensor) -> Features:
        """(B, 256, 192, 3) uint8 RGB -> Features."""
        out: Features = self.backbone(image)
        return out

    def stages(
        self, image: Tensor, keypoints: Tensor, camera: Tensor, targets: MatchingTargets | None = None
    ) -> Stages:
        """Both stages. ``targets`` choose the pixels in training; without them, the best scored are taken.

        ``image`` (B, 256, 192, 3) uint8, ``keypoints`` (B, J, 3) crop units and score, ``camera`` (B, 3).
        """
        return self.stages_from_features(self.features(image), keypoints, camera, targets)

    def stages_from_features(
        self,
        features: Features,
        keypoints: Tensor,
        camera: Tensor,
        targets: MatchingTargets | None = None,
    ) -> Stages:
        """The same, from features.

        ``keypoints`` (B, J, 3) crop units and score, ``camera`` (B, 3), ``targets`` as in ``stages``.
        """
        return self.stages_of_right(features, self.put_right(keypoints, features), camera, targets)

    def put_right(self, keypoints: Tensor, features: Features) -> Tensor:
        """Given ``keypoints`` (B, J, 3), corrected by what the backbone sees.

        As they are without ``config.merge``, and where the heatmaps of ``features`` were not kept.
        """
        if self.merger is None or features.heads is None:
            return keypoints
        merged: Merged = self.merger(keypoints, self.merger.evidence(features, keypoints))
        return merged.keypoints

    @staticmethod
    def used(keypoints: Tensor, features: Features) -> Tensor:
        """What bodies are made of: ``keypoints`` (B, J, 3) put right, the backbone's own of people with too few.

        0 where there is none.
        """
        seen = torch.where(keypoints[..., 2:] > 0, keypoints, 0.0)
        return torch.where(enough(keypoints)[..., None], seen, features.keypoints)

    def stages_of_right(
        self, features: Features, keypoints: Tensor, camera: Tensor, targets: MatchingTargets | None = None
    ) -> Stages:
        """``stages_from_features`` of ``keypoints`` (B, J, 3) that ``put_right`` gave."""
        best = self.used(keypoints, features)
        told = best if self.config.start == "given" else features.keypoints
        known = self.lifting(told, camera)
        start, expected = self._start(told, known, camera)
        coarse = self.decoder(self.global_stage(features.pooled, known, camera, start), camera)
        if self.config.local == "off":
            return Stages(coarse, coarse, softplus(self.joint_error(features.pooled.detach()).float()), None, None)
        lifted = known if told is best else self.lifting(best, camera)
        return self._corrected(features, coarse, keypoints, lifted, camera, targets, expected)

    def _start(self, keypoints: Tensor, lifted: Lifted, camera: Tensor) -> tuple[SmplState, Tensor | None]:
        """What the global stage corrects; the mean body of people of whom too few ``keypoints`` (B, J, 3) are seen.

        With the errors (B, 24) m that are expected of it, where the local stage knows no more keypoints.
        """
        mean: SmplState = self.mean(camera)
        if self.config.start == "mean":
            return mean, None
        stages = self._corrected(None, self.decoder(mean, camera), keypoints, lifted, camera, None)
        seen = enough(keypoints).to(mean.betas.dtype)
        moved = SmplState.from_vector(seen * (stages.fine.state.to_vector() - mean.to_vector()))
        has_all = self.config.start == "given" and self.config.residual == "on"
        return mean.plus(moved), stages.joint_error if has_all else None

    def corrected(self, coarse: SmplEstimate, keypoints: Tensor, camera: Tensor) -> Stages:
        """What the local stage makes of an estimate and keypoints alone, without any image.

        ``keypoints`` (B, J, 3) crop units and score, ``camera`` (B, 3).
        """
        return self._corrected(None, coarse, keypoints, self.lifting(keypoints, camera), camera, None)

    def _corrected(
        self,
        features: Features | None,
        coarse: SmplEstimate,
        keypoints: Tensor,
        lifted: Lifted,
        camera: Tensor,
        targets: MatchingTargets | None,
        expected: Tensor | None = None,
    ) -> Stages:
        """The local stage on ``coarse``; ``keypoints`` (B, J, 3) crop units and score, ``camera`` (B, 3)."""
        base = coarse.detach().state if self.config.residual == "on" else self.mean(camera)
        out: Stages = self.pixel_stage(features, coarse, base, keypoints, lifted, camera, targets, expected)
        return out

    def forward(self, image: Tensor, keypoints: Tensor, camera: Tensor) -> tuple[Tensor, ...]:
        """-> ``rotations`` (B, 24, 3, 3), ``betas`` (B, 10), ``crop_cam`` (B, 3), ``joint_error`` (B, 24) m.

        Last ``used_keypoints`` (B, J, 3), what they were made of: crop units and score, 0 where there is none.
        """
        features = self.features(image)
        keypoints = self.put_right(keypoints, features)
        result = self.stages_of_right(features, keypoints, camera)
        fine = result.fine
        return fine.rotations, fine.betas, fine.crop_cam, result.joint_error, self.used(keypoints, features)

    def example_inputs(self, batch: int = 2) -> tuple[Tensor, ...]:
        """Noise with the shapes, types and ranges of the inputs."""
        generator = torch.Generator().manual_seed(0)
        image = torch.randint(0, 256, (batch, *CROP_SHAPE, 3), dtype=torch.uint8, generator=generator)
        keypoints = torch.rand(batch, joint_set_named(self.config.joint_set).size, 3, generator=generator)
        centre = torch.rand(batch, 2, generator=generator) - 0.5
        height = torch.rand(batch, 1, generator=generator) + 0.2
        return image, keypoints, torch.cat([centre, height], 1)
