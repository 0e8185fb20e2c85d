# SPDX-License-Identifier: Apache-2.0
"""HRNet, with the names of its published weights, so that those trained for COCO's poses load as they are.

Source: Sun et al., "Deep High-Resolution Representation Learning for Human Pose Estimation", CVPR 2019, and the
configurations of its published models. Their last module fuses into the finest branch alone; the other maps are those
of its branches.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

WIDTHS = {"hrnet_w32": 32, "hrnet_w48": 48}

_STEM, _LAYER1, _EXPANSION, _BLOCKS = 64, 256, 4, 4
_MODULES = {2: 1, 3: 4, 4: 3}
"""Modules in each stage; stage s has s branches."""

_NOT_USED = ("final_layer.", "incre_modules.", "downsamp_modules.", "classifier.", "head.", "keypoint_head.")
"""Parts of published files that serve other purposes."""


def _conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, relu: bool = True) -> nn.Sequential:
    """Convolution and normalisation, with ReLU where ``relu``."""
    layers = [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs)]
    return nn.Sequential(*layers, *([nn.ReLU()] if relu else []))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a residual."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        inner = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(inner)) + x)


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions and a residual, to four times 64 channels."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        outputs = _STEM * _EXPANSION
        self.conv1 = nn.Conv2d(inputs, _STEM, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(_STEM)
        self.conv2 = nn.Conv2d(_STEM, _STEM, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(_STEM)
        self.conv3 = nn.Conv2d(_STEM, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = _conv(inputs, outputs, 1, relu=False) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, 256, H, W)."""
        inner = torch.relu(self.bn1(self.conv1(x)))
        inner = torch.relu(self.bn2(self.conv2(inner)))
        return torch.relu(self.bn3(self.conv3(inner)) + self.downsample(x))


class FusedBranches(nn.Module):
    """Branches of blocks, one per resolution, each then the sum of all, brought to its size."""

    def __init__(self, widths: tuple[int, ...], fused: int) -> None:
        """``fused``: how many of the branches get the sum; the others stay as they are."""
        super().__init__()
        self.branches = nn.ModuleList(nn.Sequential(*(BasicBlock(w) for _ in range(_BLOCKS))) for w in widths)
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_between(widths, source, target) for source in range(len(widths))) for target in range(fused)
        )

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Maps of all branches -> the same, after the module."""
        maps = [branch(x) for branch, x in zip(self.branches, maps, strict=True)]
        sums = []
        for layers in self.fuse_layers:
            assert isinstance(layers, nn.ModuleList)
            parts = [layer(x) for layer, x in zip(layers, maps, strict=True)]
            sums.append(torch.relu(torch.stack(parts).sum(0)))
        return [*sums, *maps[len(sums) :]]


def _between(widths: tuple[int, ...], source: int, target: int) -> nn.Module:
    """From branch ``source`` to the size of branch ``target``."""
    if source == target:
        return nn.Identity()
    if source > target:
        up = nn.Upsample(scale_factor=2 ** (source - target), mode="nearest")
        return nn.Sequential(*_conv(widths[source], widths[target], 1, relu=False), up)
    down = [_conv(widths[source], widths[source], stride=2) for _ in range(target - source - 1)]
    return nn.Sequential(*down, _conv(widths[source], widths[target], stride=2, relu=False))


class Hrnet(nn.Module):
    """Images (B, 3, H, W) -> four maps, of strides 4, 8, 16 and 32."""

    def __init__(self, width: int) -> None:
        """``width``: channels of the finest map; each coarser one has twice as many."""
        super().__init__()
        self.widths = tuple(width * 2**level for level in range(4))
        self.conv1 = nn.Conv2d(3, _STEM, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(_STEM)
        self.conv2 = nn.Conv2d(_STEM, _STEM, 3, 2, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(_STEM)
        self.layer1 = nn.Sequential(Bottleneck(_STEM), *(Bottleneck(_LAYER1) for _ in range(3)))
        finest, coarser = self.widths[:2]
        first = [_conv(_LAYER1, finest), nn.Sequential(_conv(_LAYER1, coarser, stride=2))]
        self.transition1 = nn.ModuleList(first)
        self.stage2 = self._stage(2)
        self.transition2 = self._transition(3)
        self.stage3 = self._stage(3)
        self.transition3 = self._transition(4)
        self.stage4 = self._stage(4)

    def _transition(self, branches: int) -> nn.ModuleList:
        """One more branch, from the coarsest so far."""
        coarsest, added = self.widths[branches - 2 : branches]
        kept = [nn.Identity() for _ in range(branches - 1)]
        return nn.ModuleList([*kept, nn.Sequential(_conv(coarsest, added, stride=2))])

    def _stage(self, branches: int) -> nn.ModuleList:
        widths, count = self.widths[:branches], _MODULES[branches]
        fused = [1 if branches == 4 and module == count - 1 else branches for module in range(count)]
        return nn.ModuleList(FusedBranches(widths, f) for f in fused)

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) normalised -> maps (B, C_l, H / s, W / s)."""
        x = torch.relu(self.bn1(self.conv1(image)))
        x = self.layer1(torch.relu(self.bn2(self.conv2(x))))
        maps = [transition(x) for transition in self.transition1]
        for module in self.stage2:
            maps = module(maps)
        for transition, stage in ((self.transition2, self.stage3), (self.transition3, self.stage4)):
            maps = [layer(m) for layer, m in zip(transition, [*maps, maps[-1]], strict=True)]
            for module in stage:
                maps = module(maps)
        return maps


def load_hrnet(network: Hrnet, path: Path) -> None:
    """Copy published weights for COCO's poses into ``network``: HRNet's own files, or MMPose's.

    ValueError names the file, and what it lacks.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as err:
        raise ValueError(f"{path}: no such weights; set global_to_pixel.checkpoint") from err
    except Exception as err:  # torch.load raises whatever the damaged bytes lead to
        raise ValueError(f"{path}: not a file of weights ({type(err).__name__})") from err
    weights = _named(content.get("state_dict", content) if isinstance(content, Mapping) else {})
    state = network.state_dict()
    counted = {name for name in state if not name.endswith("num_batches_tracked")}
    if lacking := sorted(counted - weights.keys()):
        raise ValueError(
            f"{path}: not the weights of this HRNet: it lacks {len(lacking)} tensors, such as {lacking[0]}"
        )
    if other := [name for name in counted if weights[name].shape != state[name].shape]:
        name = min(other)
        raise ValueError(f"{path}: {name}: expected shape {tuple(state[name].shape)}, got {tuple(weights[name].shape)}")
    network.load_state_dict({name: weights[name] for name in counted}, strict=False)


def _named(weights: Mapping[str, object]) -> dict[str, Tensor]:
    """Tensors by HRNet's own names: without prefixes of wrappers and heads."""
    found = {}
    for name, value in weights.items():
        own = name.removeprefix("module.").removeprefix("backbone.")
        if isinstance(value, Tensor) and not own.startswith(_NOT_USED):
            found[own] = value
    return found
