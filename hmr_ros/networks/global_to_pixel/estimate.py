# SPDX-License-Identifier: Apache-2.0
"""What both stages predict, and what follows from it: rotations, joints and their projections into the crop.

Of bodies, 24 joints rotate; of hands, 16 (``Tree``). Shapes are given for bodies here and in the other modules.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hmr_ros.core.arrays import Floats
from hmr_ros.core.body.skinned_model import BETAS, SkinnedModel
from hmr_ros.core.body.skinning import Tree
from hmr_ros.core.skeleton import SMPL
from hmr_ros.networks.body_model import rot6d_to_rotmat
from hmr_ros.networks.global_to_pixel.crop_camera import crop_translation, to_crop_units

FIRST_SCALE = 0.9
"""Where ``crop_cam`` starts: a person that almost fills the box."""


def parameters(tree: Tree) -> int:
    """Numbers of a pose in 6D, a shape and ``crop_cam``."""
    return 6 * tree.size + BETAS + 3


@dataclass(frozen=True, eq=False)
class MeanPose:
    """Where prediction starts: ``rot6d`` (24, 6), the root in the crop camera's axes; ``betas`` (10,); the crop's s."""

    rot6d: Floats
    betas: Floats
    scale: float = FIRST_SCALE

    def __post_init__(self) -> None:
        for name, array, shape in (("rot6d", self.rot6d, (len(self.rot6d), 6)), ("betas", self.betas, (BETAS,))):
            if array.shape != shape:
                raise ValueError(f"{name}: expected shape {shape}, got {array.shape}")

    @staticmethod
    def rest(joints: int = SMPL.size, scale: float = FIRST_SCALE) -> MeanPose:
        """The T-pose, upright and facing the camera: rotated by 180 degrees about x, as its y is up and it faces +z.

        A hand of 16 ``joints`` then shows its palm's edge, fingers to the left.
        """
        rot6d = np.tile(np.array([1.0, 0, 0, 1, 0, 0]), (joints, 1))
        rot6d[0, 3] = -1
        return MeanPose(rot6d, np.zeros(BETAS), scale)


class SmplState(NamedTuple):
    """What a network predicts or corrects: ``rot6d`` (B, 24, 6), ``betas`` (B, 10), ``crop_cam`` (B, 3) s, tx, ty."""

    rot6d: Tensor
    betas: Tensor
    crop_cam: Tensor

    @staticmethod
    def from_vector(x: Tensor) -> SmplState:
        """(B, 157) -> state."""
        rot6d, betas, crop_cam = x.split((x.shape[1] - BETAS - 3, BETAS, 3), 1)
        return SmplState(rot6d.unflatten(1, (-1, 6)), betas, crop_cam)

    def to_vector(self) -> Tensor:
        """-> (B, 157)."""
        return torch.cat([self.rot6d.flatten(1), self.betas, self.crop_cam], 1)

    def plus(self, correction: SmplState) -> SmplState:
        """The sum; rotations add in 6D, before they are made orthogonal."""
        return SmplState(*(a + b for a, b in zip(self, correction, strict=True)))

    def minus(self, other: SmplState) -> SmplState:
        """The difference, of two corrections."""
        return SmplState(*(a - b for a, b in zip(self, other, strict=True)))


class SmplEstimate(NamedTuple):
    """One stage's estimate.

    ``rot6d`` (B, 24, 6) and the ``rotations`` (B, 24, 3, 3) they stand for: root -> crop camera, others child ->
    parent. ``betas`` (B, 10). ``crop_cam`` (B, 3): s, tx, ty of ``crop_translation``. ``joints`` (B, 24, 3) m relative
    to the pelvis, axes of the crop camera. ``anchors`` (B, 24, 2): the joints projected, crop units.
    """

    rot6d: Tensor
    rotations: Tensor
    betas: Tensor
    crop_cam: Tensor
    joints: Tensor
    anchors: Tensor

    @property
    def state(self) -> SmplState:
        """The part that is predicted; the rest follows."""
        return SmplState(self.rot6d, self.betas, self.crop_cam)

    def detach(self) -> SmplEstimate:
        """The same numbers without their gradient."""
        return SmplEstimate(*(x.detach() for x in self))


class MeanState(nn.Module):
    """The mean as buffers, which travel with the weights."""

    rot6d: Tensor
    betas: Tensor
    crop_cam: Tensor

    def __init__(self, mean: MeanPose) -> None:
        super().__init__()
        self.register_buffer("rot6d", torch.from_numpy(mean.rot6d).float())
        self.register_buffer("betas", torch.from_numpy(mean.betas).float())
        self.register_buffer("crop_cam", torch.tensor([mean.scale, 0.0, 0.0]))

    def forward(self, batch: Tensor) -> SmplState:
        """The mean once per row of ``batch`` (B, N)."""
        ones = torch.ones_like(batch[:, :1])
        return SmplState(self.rot6d * ones[..., None], self.betas * ones, self.crop_cam * ones)


class JointChain(nn.Module):
    """Forward kinematics of the joints alone, one generation of the skeleton after the other.

    The same function as ``TorchBodyModel.posed(...).joints`` in operations that every inference engine has.
    """

    j_template: Tensor
    j_shapedirs: Tensor
    order: Tensor

    def __init__(self, body: SkinnedModel) -> None:
        super().__init__()
        regressor = np.asarray(body.J_regressor, np.float64)
        shapes = np.einsum("jv,vcs->sjc", regressor, body.shapedirs).reshape(body.shapedirs.shape[-1], -1)
        self._constant("j_template", (regressor @ body.v_template).astype(np.float32))
        self._constant("j_shapedirs", np.ascontiguousarray(shapes, np.float32))
        generations = (np.zeros(1, np.int64), *body.tree.levels)
        self.depth = len(generations)
        for depth, joints in enumerate(generations[1:], start=1):
            parents = body.tree.parents[joints]
            self._constant(f"joints{depth}", joints)
            self._constant(f"parents{depth}", parents)
            self._constant(f"places{depth}", np.searchsorted(generations[depth - 1], parents))
        self._constant("order", np.argsort(np.concatenate(generations)))

    def _constant(self, name: str, array: NDArray[np.generic]) -> None:
        self.register_buffer(name, torch.from_numpy(array), persistent=False)

    def forward(self, rotations: Tensor, betas: Tensor) -> Tensor:
        """(B, 24, 3, 3) local rotations and (B, 10) -> joints (B, 24, 3) m, the pelvis at the origin."""
        # Products are written out, as autocast would round a matrix product to bfloat16.
        rest = self.j_template + (betas[:, :, None] * self.j_shapedirs).sum(1).unflatten(1, (-1, 3))
        world = [rotations.narrow(1, 0, 1)]
        places = [torch.zeros_like(rest).narrow(1, 0, 1)]
        for depth in range(1, self.depth):
            joints, parents = self.get_buffer(f"joints{depth}"), self.get_buffer(f"parents{depth}")
            of_parent = self.get_buffer(f"places{depth}")
            bones = rest.index_select(1, joints) - rest.index_select(1, parents)
            parent = world[-1].index_select(1, of_parent)
            places.append(places[-1].index_select(1, of_parent) + (parent * bones[..., None, :]).sum(-1))
            local = rotations.index_select(1, joints)
            world.append((parent[..., None] * local[..., None, :, :]).sum(-2))
        return torch.cat(places, 1).index_select(1, self.order)


class SmplDecoder(nn.Module):
    """SMPL parameters -> an estimate with everything that follows from them."""

    def __init__(self, body: SkinnedModel) -> None:
        super().__init__()
        self.chain = JointChain(body)

    def forward(self, state: SmplState, camera: Tensor) -> SmplEstimate:
        """A state and cameras (B, 3), see ``crop_camera`` -> the estimate."""
        rot6d, betas, crop_cam = state
        rotations = rot6d_to_rotmat(rot6d)
        joints = self.chain(rotations, betas)
        anchors = to_crop_units(joints + crop_translation(crop_cam, camera)[:, None], camera)
        return SmplEstimate(rot6d, rotations, betas, crop_cam, joints, anchors)
