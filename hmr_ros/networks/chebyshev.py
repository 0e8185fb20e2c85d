# SPDX-License-Identifier: Apache-2.0
"""Chebyshev graph convolution (K = 3), twice: the plain sparse form, and the form that deploys.

A graph convolution is a sum over k < 3 of T_k(L) x W_k with T_0 = I, T_1 = L, T_2 = 2 L^2 - I (Defferrard et al.
2016). ``ChebConv`` on a ``SparseLaplacian`` writes exactly that, in the layout of Pose2Mesh's weights: the reference.
``ClenshawConv`` on a ``BlockLaplacian`` computes the same with operations every inference engine runs fast:
three plain Linear layers, then L on the output's channels as one gather of each patch's neighbourhood and one batched
dense matrix product. It is 2-3 times faster on a CPU and has no sparse tensors, scatters or slices.

Tensors are (B, N, F): batch, graph nodes, features. A convolution takes the Laplacian as an argument, so one
operator per level serves every layer there.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor, nn

from hmr_ros.networks.blocks import BLOCK

K = 3
"""Chebyshev terms, the paper's choice for every layer."""

HALO_MULTIPLE = 8
"""A patch's neighbourhood is padded to a multiple of this, which suits vector units and tensor cores."""


class SparseLaplacian(nn.Module):
    """x -> L x with a sparse matrix product: the reference."""

    matrix: Tensor

    def __init__(self, laplacian: csr_array) -> None:
        super().__init__()
        entries = laplacian.tocoo()
        index = torch.from_numpy(np.stack([entries.row, entries.col]).astype(np.int64))
        values = torch.from_numpy(entries.data.astype(np.float32))
        matrix = torch.sparse_coo_tensor(index, values, laplacian.shape, check_invariants=True).coalesce()
        self.register_buffer("matrix", matrix, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, F) -> (B, N, F)."""
        batch, nodes, features = x.shape
        columns = x.permute(1, 0, 2).reshape(nodes, batch * features)
        out: Tensor = torch.sparse.mm(self.matrix, columns).reshape(nodes, batch, features).permute(1, 0, 2)
        return out


class BlockLaplacian(nn.Module):
    """x -> L x as a gather and a batched dense product, for nodes in the order of ``blocks.block_order``.

    Each block of consecutive nodes is a patch of the mesh; only a few dozen nodes around it matter to it (its halo).
    The matrix need not be square: (N, M) with any M takes (B, M, F) to (B, N, F).
    """

    weights: Tensor
    gather: Tensor

    def __init__(self, laplacian: csr_array, block: int = BLOCK) -> None:
        super().__init__()
        if laplacian.shape[0] % block:
            raise ValueError(f"expected a multiple of {block} nodes, got {laplacian.shape[0]}: use block_order")
        rows = [laplacian[start : start + block].tocsc() for start in range(0, laplacian.shape[0], block)]
        halos = [np.flatnonzero(np.diff(row.indptr)) for row in rows]
        width = -(-max(map(len, halos)) // HALO_MULTIPLE) * HALO_MULTIPLE
        weights = np.zeros((len(rows), block, width), np.float32)
        gather = np.zeros((len(rows), width), np.int64)  # unused places read node 0 and weigh it 0
        for patch, (row, halo) in enumerate(zip(rows, halos, strict=True)):
            weights[patch, :, : len(halo)] = row[:, halo].toarray()
            gather[patch, : len(halo)] = halo
        self.nodes = laplacian.shape[0]
        self.register_buffer("weights", torch.from_numpy(weights), persistent=False)
        self.register_buffer("gather", torch.from_numpy(gather.reshape(-1)), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, M, F) -> (B, N, F)."""
        patches, _, width = self.weights.shape
        halos = x.index_select(1, self.gather).reshape(-1, patches, width, x.shape[2])
        return (self.weights @ halos).reshape(-1, self.nodes, x.shape[2])


class DenseLaplacian(nn.Module):
    """x -> L x with a dense matrix, for graphs as small as a skeleton."""

    matrix: Tensor

    def __init__(self, laplacian: csr_array) -> None:
        super().__init__()
        self.register_buffer("matrix", torch.from_numpy(laplacian.toarray().astype(np.float32)), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, F) -> (B, N, F)."""
        return self.matrix @ x


class ChebConv(nn.Module):
    """The reference convolution: concatenate T_0 x, T_1 x, T_2 x and apply one Linear layer.

    The weight is (F_out, 3 F_in) with column 3 f + k for feature f and term k; it starts as in the paper's code.
    """

    def __init__(self, features_in: int, features_out: int) -> None:
        super().__init__()
        self.linear = nn.Linear(K * features_in, features_out)
        bound = math.sqrt(2 / (K * features_in + features_out))
        nn.init.uniform_(self.linear.weight, -bound, bound)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x: Tensor, laplacian: nn.Module) -> Tensor:
        """(B, N, F_in) and x -> L x -> (B, N, F_out)."""
        first = laplacian(x)
        second = 2 * laplacian(first) - x
        out: Tensor = self.linear(torch.stack([x, first, second], -1).flatten(-2))
        return out


class ClenshawConv(nn.Module):
    """The same convolution by Clenshaw's recurrence: y = x (W_0 - W_2) + L (x W_1 + L (x 2 W_2)).

    L acts on the output's features, nothing is concatenated, and the three products are plain Linear layers.
    """

    def __init__(self, features_in: int, features_out: int) -> None:
        super().__init__()
        self.direct = nn.Linear(features_in, features_out)
        self.once = nn.Linear(features_in, features_out, bias=False)
        self.twice = nn.Linear(features_in, features_out, bias=False)
        self._set(ChebConv(features_in, features_out))

    @staticmethod
    def from_chebyshev(conv: ChebConv, norm: nn.BatchNorm1d | None = None) -> ClenshawConv:
        """The exact equivalent of ``conv`` followed by ``norm`` in evaluation mode."""
        made = ClenshawConv(conv.linear.in_features // K, conv.linear.out_features)
        made._set(conv)
        if norm is not None:
            made._fold(norm)
        return made

    @torch.no_grad()
    def _set(self, conv: ChebConv) -> None:
        terms = conv.linear.weight.reshape(conv.linear.out_features, -1, K)
        self.direct.weight.copy_(terms[..., 0] - terms[..., 2])
        self.direct.bias.copy_(conv.linear.bias)
        self.once.weight.copy_(terms[..., 1])
        self.twice.weight.copy_(2 * terms[..., 2])

    @torch.no_grad()
    def _fold(self, norm: nn.BatchNorm1d) -> None:
        """Absorb y -> (y - mean) gain / std + shift, which is linear per output feature."""
        assert norm.running_mean is not None, "a norm that keeps statistics"
        assert norm.running_var is not None
        gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        for linear in (self.direct, self.once, self.twice):
            linear.weight.mul_(gain[:, None])
        self.direct.bias.copy_((self.direct.bias - norm.running_mean) * gain + norm.bias)

    def forward(self, x: Tensor, laplacian: nn.Module) -> Tensor:
        """(B, N, F_in) and x -> L x -> (B, N, F_out)."""
        out: Tensor = self.direct(x) + laplacian(self.once(x) + laplacian(self.twice(x)))
        return out

    def upsampled(self, x: Tensor, copy: nn.Module, copied_laplacian: nn.Module, laplacian: nn.Module) -> Tensor:
        """``self(copy(x), laplacian)`` for half the work, given ``copied_laplacian``: x -> L copy(x).

        Copying nodes commutes with whatever acts on features, so the Linear layers run on the coarse nodes.

        ``x`` (B, M, F_in) on the coarse nodes -> (B, N, F_out) on the fine ones.
        """
        inner = copy(self.once(x)) + copied_laplacian(self.twice(x))
        out: Tensor = copy(self.direct(x)) + laplacian(inner)
        return out
