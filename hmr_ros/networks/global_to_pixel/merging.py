# SPDX-License-Identifier: Apache-2.0
"""Given keypoints, put right by what the image shows: the first thing that pixels correct.

A detector errs on other joints than the backbone does, and the heatmaps say at every place how much a joint looks like
itself there. So each joint has four places where it may be, and a small network that sees all joints at once weighs
them. It also says how far off the result may be: that becomes the score, by which joints are lifted and fitted.

Global-to-Pixel as published takes sparse keypoints as they are.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from hmr_ros.core.geometry.crop_view import CROP_ASPECT
from hmr_ros.core.skeleton import JointSet
from hmr_ros.networks.global_to_pixel.deformable import at_places
from hmr_ros.networks.global_to_pixel.features import Features

PLACES = 4
"""Where a joint may be: as given, as the backbone finds it, and both of its mirror image, as sources swap sides."""

HIDDEN = 256
HIDDEN_OF_JOINT = 32

OF_JOINT = 21
"""Numbers that describe a joint and both sources of it."""

LEAST_SIZE = 0.05
"""Of people, by which distances are divided: crop heights."""

FIRST_ERROR = -3.0
"""Logarithm of the error that an untrained network expects: 5 % of the crop's height."""

FALL = 12.0
"""How fast scores fall with the error that is expected: to a third at 9 % of the crop's height."""

NOWHERE = -1e4
"""Weight, before softmax, of a place that is not known."""


class Evidence(NamedTuple):
    """What the backbone says of given keypoints.

    ``own`` (B, J, 3): those that it finds itself, crop units and score, 0 where it finds none. ``heat`` (B, J, 4):
    scores of the joint's heatmap, and of its mirror image's, at the given place; then both at its own.
    """

    own: Tensor
    heat: Tensor


class Merged(NamedTuple):
    """``keypoints`` (B, J, 3) crop units and score, 0 where none is given; ``error`` (B, J): expected, crop heights."""

    keypoints: Tensor
    error: Tensor


class KeypointMerger(nn.Module):
    """Given keypoints and the backbone's own to one set. Untrained, it prefers what is given."""

    mirror: Tensor
    aspect: Tensor
    preferred: Tensor

    def __init__(self, joint_set: JointSet) -> None:
        super().__init__()
        joints = joint_set.size
        self.register_buffer("mirror", torch.from_numpy(joint_set.mirror), persistent=False)
        self.register_buffer("aspect", torch.tensor([CROP_ASPECT, 1.0]), persistent=False)
        self.register_buffer("preferred", torch.tensor([2.0, 1.0, 0.0, 0.0]), persistent=False)
        outputs = PLACES + 1
        self.together = nn.Sequential(
            *(nn.Linear(joints * OF_JOINT, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, HIDDEN), nn.SiLU()),
            nn.Linear(HIDDEN, joints * outputs),
        )
        self.alone = nn.Sequential(nn.Linear(OF_JOINT, HIDDEN_OF_JOINT), nn.SiLU(), nn.Linear(HIDDEN_OF_JOINT, outputs))
        self.joint = nn.Parameter(torch.zeros(joints, outputs))

    def evidence(self, features: Features, given: Tensor) -> Evidence:
        """What ``features`` of B crops say of ``given`` (B, J, 3)."""
        own = features.keypoints
        scores = features.heatmaps(own.shape[1]).float().sigmoid()
        return Evidence(own, torch.cat([self._heat(scores, places[..., :2]) for places in (given, own)], 2))

    def forward(self, given: Tensor, evidence: Evidence) -> Merged:
        """``given`` (B, J, 3) crop units and score."""
        described = self._described(given, evidence)
        answer = self.together(described.flatten(1)).unflatten(1, (-1, PLACES + 1)) + self.alone(described) + self.joint
        sources = torch.stack([given, evidence.own, given[:, self.mirror], evidence.own[:, self.mirror]], 2)
        unknown = NOWHERE * (sources[..., 2] <= 0)
        weights = (answer[..., :PLACES] + self.preferred + unknown).softmax(2)
        places = (weights[..., None] * sources[..., :2]).sum(2)
        error = (answer[..., PLACES] + FIRST_ERROR).clamp(-7, 1).exp()
        seen = (given[..., 2:] > 0).to(given.dtype)
        return Merged(torch.cat([places, (-FALL * error)[..., None].exp()], 2) * seen, error)

    def _heat(self, scores: Tensor, places: Tensor) -> Tensor:
        """(B, J, 2): the joint's score, and its mirror image's, at ``places`` (B, J, 2) of maps (B, J, h, w)."""
        found = at_places(scores, places)  # (B, places, joints)
        same = torch.eye(found.shape[1], dtype=found.dtype, device=found.device)
        return torch.stack([(found * same).sum(2), (found * same[self.mirror]).sum(2)], 2)

    def _described(self, given: Tensor, evidence: Evidence) -> Tensor:
        """(B, J, 21): both sources relative to where the given keypoints lie, how far they are apart, and heat."""
        own, mirror = evidence.own, self.mirror
        in_given, in_own = ((source[..., 2:] > 0).to(given.dtype) for source in (given, own))
        count = in_given.sum(1, keepdim=True).clamp(min=1)
        middle = (given[..., :2] * in_given).sum(1, keepdim=True) / count
        square = ((given[..., :2] - middle) * self.aspect).square().sum(2, keepdim=True)
        size = ((square * in_given).sum(1, keepdim=True) / count).clamp(min=LEAST_SIZE**2).sqrt()

        def relative(source: Tensor, among: Tensor) -> Tensor:
            return (source[..., :2] - middle) * self.aspect / size * among

        at_given, at_own = relative(given, in_given), relative(own, in_own)
        step = (at_own - at_given) * in_given * in_own
        to_other_own = _length((relative(own, in_own)[:, mirror] - at_given) * in_given * in_own[:, mirror])
        to_other_given = _length((at_given[:, mirror] - at_given) * in_given * in_given[:, mirror])
        known = torch.cat([in_given, in_given, in_own, in_own], 2)
        return torch.cat(
            [
                *(at_given, at_own, given[..., 2:], own[..., 2:], in_given, in_own, step, _length(step)),
                *((evidence.heat.clamp(min=1e-8).sqrt() * known), to_other_own, to_other_given),
                *(at_given[:, mirror], at_own[:, mirror]),
            ],
            2,
        )


def merging_loss(merged: Merged, truth: Tensor, chosen: Tensor) -> Tensor:
    """Laplace's negative log likelihood of places ``truth`` (B, J, 2), crop units, mean of the ``chosen`` (B, J).

    Places are pulled to the truth, the harder the surer they are, and errors to what they are.
    """
    step = (merged.keypoints[..., :2] - truth) * truth.new_tensor([CROP_ASPECT, 1.0])
    likelihood = _length(step)[..., 0] / merged.error + merged.error.log()
    return (likelihood * chosen).sum() / chosen.sum().clamp(min=1)


def _length(steps: Tensor) -> Tensor:
    """(..., 2) -> (..., 1); its gradient at 0 is finite."""
    return (steps.square().sum(-1, keepdim=True) + 1e-12).sqrt()
