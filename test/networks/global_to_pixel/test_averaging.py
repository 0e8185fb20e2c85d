# SPDX-License-Identifier: Apache-2.0
"""The trunk averaged with MoveNet's own weights at export."""

import argparse
import dataclasses

import pytest
import torch

from hmr_ros.commands import export
from test.networks.global_to_pixel.test_network import SMALL, build


def asked(fraction: float) -> argparse.Namespace:
    return argparse.Namespace(checkpoint="runs/best.pt", movenet=fraction)


def test_only_a_trunk_of_movenet_is_averaged_with_it(body):
    with pytest.raises(ValueError, match=r"--movenet: runs/best\.pt has no trunk of MoveNet's"):
        export._movenet_of(torch.nn.Linear(1, 1), asked(0.5))
    network = build(body, dataclasses.replace(SMALL, backbone="movenet_thunder", start="given"))
    assert export._movenet_of(network, asked(0.5)) is network.backbone.trunk
    with pytest.raises(ValueError, match=r"--movenet: expected 0 to 1, got 1\.5"):
        export._movenet_of(network, asked(1.5))
