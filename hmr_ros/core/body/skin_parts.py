# SPDX-License-Identifier: Apache-2.0
"""The vertices of a skin in parts, each with the joints that move it: a joint's pose correctives are near the joint.

The open body's 207 pose directions are zero for 95 of 100 vertices, so that most of a product with all of them is of
zeros, and reading them takes longer than the rest of the skinning. A model whose directions are dense has one part.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hmr_ros.core.arrays import Bools, Floats, Int64s
from hmr_ros.core.body.skinning import Skin, pose_coefficients, transformed, transforms_of

_CALLS = 200_000
"""The calls of one more part take as long as so many multiplications."""


@dataclass(frozen=True, eq=False)
class SkinPart:
    """The ``vertices`` (N,) of a skin that the same joints move.

    ``joints`` (J,) that they have ``weights`` (J, N) of; ``coefficients`` (D,) that they have ``directions`` (D, 3 N)
    of; ``template`` (3, N) m.
    """

    vertices: Int64s
    joints: Int64s
    coefficients: Int64s
    template: Floats
    directions: Floats
    weights: Floats

    def posed(self, coefficients: Floats, transforms: Floats) -> Floats:
        """(P, 3, N) m by all ``coefficients`` (P, C) of the skin, and the transforms (P, 12, K) of its joints."""
        people, count = len(coefficients), len(self.vertices)
        unposed = (coefficients[:, self.coefficients] @ self.directions).reshape(people, 3, count) + self.template
        blended = (transforms[:, :, self.joints] @ self.weights).reshape(people, 3, 4, count)
        return transformed(blended, unposed)


@dataclass(frozen=True, eq=False)
class SkinParts:
    """A ``skin`` that is posed part by part, with the vertices that ``Skin.blended`` and ``unposed`` give."""

    skin: Skin

    @cached_property
    def parts(self) -> tuple[SkinPart, ...]:
        """As few parts as are worth their calls."""
        moves, weighs = self._moves(), self.skin.weights != 0
        return tuple(self._part(vertices, moves, weighs) for vertices in _grouped(self.skin, moves, weighs))

    def posed(self, betas: Floats, rotations: Floats, world: Floats, joints: Floats, rest: Floats) -> Floats:
        """(P, V, 3) m of P shapes and poses, all by (P, K, ...) joints: see ``Skin``."""
        coefficients, transforms = pose_coefficients(betas, rotations), transforms_of(world, joints, rest)
        out = np.empty((len(betas), self.skin.template.shape[1], 3), coefficients.dtype)
        for part in self.parts:
            out[:, part.vertices] = part.posed(coefficients, transforms).transpose(0, 2, 1)
        return out

    def _moves(self) -> Bools:
        """(K - 1, V) whether a joint's pose features move a vertex."""
        poses = self.skin.directions[-9 * (self.skin.tree.size - 1) :]
        return np.asarray((poses != 0).any(1).reshape(-1, 9, poses.shape[-1]).any(1))

    def _part(self, vertices: Int64s, moves: Bools, weighs: Bools) -> SkinPart:
        skin = self.skin
        joints = np.flatnonzero(weighs[:, vertices].any(1))
        shapes = np.arange(len(skin.directions) - 9 * len(moves))
        features = 9 * np.flatnonzero(moves[:, vertices].any(1))[:, None] + np.arange(9)
        rows = np.concatenate([shapes, len(shapes) + features.ravel()])
        directions = np.ascontiguousarray(skin.directions[rows][..., vertices]).reshape(len(rows), -1)
        template, weights = skin.template[:, vertices], skin.weights[joints][:, vertices]
        return SkinPart(vertices, joints, rows, *map(np.ascontiguousarray, (template, directions, weights)))


@dataclass(frozen=True)
class _Group:
    """As many vertices as ``count``, of these ``numbers``; the joints that move and weigh them are bits."""

    numbers: tuple[int, ...]
    count: int
    moves: int
    weighs: int

    def with_(self, other: _Group, numbers: tuple[int, ...] = ()) -> _Group:
        """Both together, as ``numbers``."""
        return _Group(numbers, self.count + other.count, self.moves | other.moves, self.weighs | other.weighs)

    def work(self, shapes: int) -> int:
        """Multiplications, and calls as such."""
        columns = shapes + 9 * self.moves.bit_count()
        return _CALLS + self.count * (3 * columns + 12 * self.weighs.bit_count())


def _grouped(skin: Skin, moves: Bools, weighs: Bools) -> list[Int64s]:
    """The vertices of each part: at first by the joint of the largest weight, then merged while that saves time."""
    leading = skin.weights.argmax(0)
    groups = [
        _Group((joint,), int(mine.sum()), _bits(moves[:, mine]), _bits(weighs[:, mine]))
        for joint in np.unique(leading).tolist()
        for mine in [leading == joint]
    ]
    while merged := _merged(groups, shapes=len(skin.directions) - 9 * len(moves)):
        groups = merged
    return [np.flatnonzero(np.isin(leading, group.numbers)) for group in groups]


def _bits(rows: Bools) -> int:
    """(K, N) -> a number whose bit k is set where row k has any."""
    return sum(1 << int(k) for k in np.flatnonzero(rows.any(axis=1)))


def _merged(groups: list[_Group], shapes: int) -> list[_Group]:
    """``groups`` with the two merged whose merging saves most; empty where it saves nothing."""
    work = [group.work(shapes) for group in groups]
    pairs = [(a, b) for b in range(len(groups)) for a in range(b)]
    growth, (a, b) = min(
        ((groups[a].with_(groups[b]).work(shapes) - work[a] - work[b], (a, b)) for a, b in pairs),
        default=(1, (0, 0)),
    )
    if growth > 0:
        return []
    both = groups[a].with_(groups[b], groups[a].numbers + groups[b].numbers)
    return [both, *(group for k, group in enumerate(groups) if k not in (a, b))]
