"""Image crops -> a pyramid of feature maps and one vector for the whole crop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from hmr_ros.networks.global_to_pixel.blazepose_trunk import PER_POINT, POINTS, PYRAMID, SIDE, TAIL, BlazePoseTrunk
from hmr_ros.networks.global_to_pixel.config import INPUT_SIZE, GlobalToPixelConfig

STRIDES = (4, 8, 16, 32)

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Features(NamedTuple):
    """``levels`` (B, C_l, H / s, W / s) for each of the ``STRIDES`` s; ``pooled`` (B, C)."""

    levels: tuple[Tensor, ...]
    pooled: Tensor


class Backbone(nn.Module):
    """Base of all: ``maps`` is theirs, what leads to it is shared.

    ``channels``: of each level; ``pooled_channels``: of the vector.
    """

    channels: tuple[int, ...]
    pooled_channels: int

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """``mean`` and ``std`` (3,) of RGB values 0..1, by which images are normalised."""
        super().__init__()
        self.register_buffer("scale", 1 / (255 * torch.tensor(std).reshape(3, 1, 1)), persistent=False)
        self.register_buffer("shift", -(torch.tensor(mean) / torch.tensor(std)).reshape(3, 1, 1), persistent=False)

    def maps(self, image: Tensor) -> Features:
        """(B, 3, 256, 192) normalised -> Features."""
        raise NotImplementedError

    def forward(self, image: Tensor) -> Features:
        """(B, 256, 192, 3) uint8 RGB -> Features."""
        return self.maps(image.permute(0, 3, 1, 2).to(self.scale.dtype) * self.scale + self.shift)


class BlazePoseBackbone(Backbone):
    """BlazePose's network: small, and trained for keypoints. Its weights: ``training/blazepose_weights.py``.

    It takes squares, so the crop gets black columns on either side, and the maps lose them again. ``pooled`` is what
    its landmarks are made of, and the landmarks themselves.
    """

    channels = (PYRAMID,) * len(STRIDES)
    pooled_channels = 4 * TAIL + POINTS * PER_POINT

    def __init__(self) -> None:
        super().__init__(mean=(0, 0, 0), std=(1, 1, 1))
        self.trunk = BlazePoseTrunk()
        middle = torch.tensor([SIDE / 2, SIDE / 2, 0, 0, 0])
        self.register_buffer("middle", middle, persistent=False)
        self.register_buffer("unit", torch.tensor([SIDE / 4, SIDE / 4, SIDE / 4, 4, 4]), persistent=False)

    def maps(self, image: Tensor) -> Features:
        """(B, 3, 256, 192) -> Features."""
        border = (SIDE - INPUT_SIZE[1]) // 2
        levels, tail, landmarks = self.trunk(pad(image, (border, border)))
        cut = (
            level.narrow(3, border // stride, INPUT_SIZE[1] // stride)
            for level, stride in zip(levels, STRIDES, strict=True)
        )
        points = (landmarks.float() - self.middle) / self.unit
        return Features(tuple(cut), torch.cat([tail.flatten(1), points.flatten(1)], 1))


class TimmBackbone(Backbone):
    """Any model of timm that has maps at strides 4 to 32, such as hrnet_w32 or mobilenetv3_large_100."""

    def __init__(self, name: str, checkpoint: str) -> None:
        """``checkpoint``: local weights, or empty. ImportError without timm; ValueError if the model does not fit.

        timm needs torchvision, which fails to load beside a torch that it was not built with: PyPI's is for CUDA.
        """
        super().__init__(IMAGENET_MEAN, IMAGENET_STD)
        try:
            import timm
        except (ImportError, RuntimeError) as err:
            built = f"a torchvision built for torch {torch.__version__}"
            raise ImportError(f"backbone timm:{name} needs timm (pip install timm) and {built}: {err}") from err
        try:
            model = timm.create_model(name, features_only=True, pretrained=False, checkpoint_path=checkpoint)
        except RuntimeError as err:  # what timm raises for a name it does not know
            raise ValueError(f"backbone timm:{name}: {err}") from err
        stride_of = model.feature_info.reduction()
        if not set(STRIDES) <= set(stride_of):
            raise ValueError(f"backbone timm:{name}: expected maps of strides {STRIDES}, got {tuple(stride_of)}")
        self.model = model
        self.chosen = tuple(stride_of.index(stride) for stride in STRIDES)
        self.channels = tuple(model.feature_info.channels()[i] for i in self.chosen)
        self.pooled_channels = self.channels[-1]

    def maps(self, image: Tensor) -> Features:
        """(B, 3, 256, 192) -> Features."""
        maps = self.model(image)
        levels = tuple(maps[i] for i in self.chosen)
        return Features(levels, levels[-1].mean((2, 3)))


def build_backbone(config: GlobalToPixelConfig) -> Backbone:
    """Raise ValueError for a name that is neither "blazepose" nor "timm:<model>"."""
    library, _, name = config.backbone.partition(":")
    if library == "timm" and name:
        return TimmBackbone(name, config.checkpoint)
    if config.backbone == "blazepose":
        return BlazePoseBackbone()
    raise ValueError(f'backbone: expected "blazepose" or "timm:<model>", got {config.backbone!r}')
