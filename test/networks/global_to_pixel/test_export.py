# SPDX-License-Identifier: Apache-2.0
import dataclasses

import pytest

from hmr_ros.export.onnx_graph import Exportable, largest_difference, to_onnx
from hmr_ros.networks.global_to_pixel import GlobalToPixel
from test.networks.global_to_pixel.test_network import SMALL, build, roughened

FORBIDDEN = {"ScatterND", "ScatterElements", "Einsum", "If", "Loop", "NonZero", "GatherND"}
"""Slow, racy or refused by TensorRT."""


@pytest.mark.slow
@pytest.mark.parametrize(("backbone", "start"), [("blazepose", "mean"), ("movenet_thunder", "given")])
def test_onnx_runtime_agrees_on_any_batch(body, backbone, start):
    network: GlobalToPixel = roughened(build(body, dataclasses.replace(SMALL, backbone=backbone, start=start))).eval()
    exportable = Exportable(network, network.example_inputs(4), network.input_names, network.output_names)
    model = to_onnx(exportable)
    assert largest_difference(model, exportable, batches=(1, 3)) < 1e-4
    operations = [node.op_type for node in model.graph.node]
    assert not FORBIDDEN & set(operations)
    assert "GridSample" in operations
    shapes = {v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in model.graph.input}
    assert shapes == {"image": ["N", 256, 192, 3], "keypoints": ["N", 21, 3], "camera": ["N", 3]}
