# SPDX-License-Identifier: Apache-2.0
"""Linear blend skinning of an SMPL-schema body, or hand, in PyTorch: differentiable and fast in batches.

The same function as ``core/body/body_model.py`` (numpy, the reference): the pelvis joint lies at the origin, so adding
``cam_t`` puts it there. Rotations come as matrices, since training samples and networks have them as such.

Source: Loper et al., "SMPL", SIGGRAPH Asia 2015.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from hmr_ros.core.arrays import Ints
from hmr_ros.core.body.skinned_model import SkinnedModel


class Posed(NamedTuple):
    """``vertices`` (B, V, 3) and ``joints`` (B, 24, 3) in m, pelvis joint at the origin, axes of ``global_orient``."""

    vertices: Tensor
    joints: Tensor


class TorchBodyModel(nn.Module):
    """Poses a body; all arrays are buffers, so ``.to(device)`` moves it. Nothing in it is trained."""

    v_template: Tensor
    shapedirs: Tensor
    posedirs: Tensor
    weights: Tensor
    j_template: Tensor
    j_shapedirs: Tensor

    def __init__(self, body: SkinnedModel, vertices: Ints | None = None) -> None:
        """Take ``body``, or only its vertices with the ids ``vertices``: joints stay exact, posing gets cheaper."""
        super().__init__()
        self._parents: list[int] = body.tree.parents.tolist()
        regressor = np.asarray(body.J_regressor, np.float64)
        ids = np.arange(body.vertex_count) if vertices is None else np.asarray(vertices)
        rest = {
            "v_template": body.v_template[ids],
            "shapedirs": body.shapedirs[ids].reshape(3 * len(ids), -1).T,
            "posedirs": body.posedirs[ids].reshape(3 * len(ids), -1).T,
            "weights": body.weights[ids],
            "j_template": regressor @ body.v_template,
            "j_shapedirs": np.einsum("jv,vcs->sjc", regressor, body.shapedirs).reshape(body.shapedirs.shape[-1], -1),
        }
        for name, array in rest.items():
            self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(array, np.float32)), persistent=False)

    def rest_joints(self, betas: Tensor) -> Tensor:
        """(B, 10) -> (B, 24, 3) m in the rest pose, in the model's own frame (the pelvis is not at the origin)."""
        out: Tensor = self.j_template + (betas @ self.j_shapedirs).unflatten(-1, (-1, 3))
        return out

    def posed(self, global_orient: Tensor, body_pose: Tensor, betas: Tensor) -> Posed:
        """(B, 3, 3) root rotation, (B, 23, 3, 3) rotations child -> parent and (B, 10) -> the posed bodies."""
        rest_joints = self.rest_joints(betas)
        rotations, joints = self._chain(torch.cat([global_orient[:, None], body_pose], 1), rest_joints)
        bend = (body_pose - torch.eye(3, dtype=body_pose.dtype, device=body_pose.device)).flatten(1)
        rest = self.v_template + (betas @ self.shapedirs + bend @ self.posedirs).unflatten(-1, (-1, 3))
        return Posed(self._skin(rest, rotations, joints, rest_joints), joints)

    def _chain(self, local: Tensor, rest_joints: Tensor) -> tuple[Tensor, Tensor]:
        """World rotations (B, 24, 3, 3) and positions (B, 24, 3) of the joints, from the root outwards."""
        rotations, joints = [local[:, 0]], [torch.zeros_like(rest_joints[:, 0])]
        for joint, parent in enumerate(self._parents[1:], start=1):
            bone = rest_joints[:, joint] - rest_joints[:, parent]
            joints.append(joints[parent] + (rotations[parent] @ bone[..., None])[..., 0])
            rotations.append(rotations[parent] @ local[:, joint])
        return torch.stack(rotations, 1), torch.stack(joints, 1)

    def _skin(self, rest: Tensor, rotations: Tensor, joints: Tensor, rest_joints: Tensor) -> Tensor:
        """Blend the joints' rigid motions x -> R (x - rest joint) + joint at each vertex.

        ``rest`` (B, V, 3) m, ``rotations`` (B, 24, 3, 3), ``joints`` and ``rest_joints`` (B, 24, 3) m -> (B, V, 3) m.
        """
        offsets = joints - (rotations @ rest_joints[..., None])[..., 0]
        motions = torch.cat([rotations, offsets[..., None]], -1).flatten(2)
        blended = (self.weights @ motions).unflatten(-1, (3, 4))
        out: Tensor = (blended[..., :3] @ rest[..., None])[..., 0] + blended[..., 3]
        return out


def rot6d_to_rotmat(x: Tensor) -> Tensor:
    """(..., 6) -> (..., 3, 3): Gram-Schmidt on two columns stored interleaved, as (3, 2) row by row.

    Source: Zhou et al., "On the Continuity of Rotation Representations", CVPR 2019, in the layout of SPIN's weights.
    """
    columns = x.unflatten(-1, (3, 2))
    first = nn.functional.normalize(columns[..., 0], dim=-1)
    second = columns[..., 1] - (first * columns[..., 1]).sum(-1, keepdim=True) * first
    second = nn.functional.normalize(second, dim=-1)
    return torch.stack([first, second, torch.linalg.cross(first, second)], -1)
