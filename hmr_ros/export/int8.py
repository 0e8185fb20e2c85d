# SPDX-License-Identifier: Apache-2.0
"""ONNX from fp32 to int8 for CPUs that multiply bytes (VNNI, ARM's dot product), by ONNX Runtime's quantiser.

Weights are int8 with a scale per channel, activations uint8 with a scale per tensor. Ranges of activations come from
calibration: of all values of a tensor, the outermost 0.001 % at either end are cut off (Wu et al., "Integer
Quantization for Deep Learning Inference", 2020, section 5.2). Quantise and dequantise nodes of ONNX itself are
written around the operations; ONNX Runtime fuses them to int8 kernels when it loads the network.
"""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto

from hmr_ros.export.fp16 import fold_stored_weights

PERCENTILE = 99.999
"""Of a tensor's values lie within the range that is kept; with the whole range (min-max) a few outliers coarsen all."""

OPERATIONS = ("Conv", "Add", "LeakyRelu", "Concat", "Resize", "MaxPool")
"""What runs in int8. What only moves or clips bytes is among them so that they need not be dequantised for it."""

Arrays = Mapping[str, NDArray[np.generic]]


def to_int8(model: ModelProto, calibration: Sequence[Arrays]) -> ModelProto:
    """``model`` in int8, calibrated on inputs that all have the same shapes. Inputs and outputs keep their types.

    Raises ValueError for inputs of different shapes.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    if len({tuple(array.shape for array in arrays.values()) for arrays in calibration}) != 1:
        raise ValueError("calibration: expected one or more inputs, all of the same shapes")
    with tempfile.TemporaryDirectory() as directory, _quiet():
        folded, quantised = Path(directory) / "folded.onnx", Path(directory) / "int8.onnx"
        onnx.save(fold_stored_weights(model), folded)
        # Biases that are nodes of their own become part of the convolutions: one rounding less, and half of the time.
        quant_pre_process(folded, folded, skip_symbolic_shape=True)
        quantize_static(
            folded,
            quantised,
            _Reader(calibration),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(OPERATIONS),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.Percentile,
            extra_options={"CalibPercentile": PERCENTILE},
        )
        int8 = onnx.load(quantised)
    del int8.metadata_props[:]  # the quantiser's notes
    own = next(opset for opset in int8.opset_import if opset.domain == "")
    del int8.opset_import[:]  # the optimiser names domains of which nothing is used; the checker would say if it were
    int8.opset_import.append(own)
    onnx.checker.check_model(int8, full_check=True)
    return int8


class _Reader:
    """A CalibrationDataReader of onnxruntime.quantization."""

    def __init__(self, inputs: Sequence[Arrays]) -> None:
        self._left: Iterator[Arrays] = iter(inputs)

    def get_next(self) -> dict[str, NDArray[np.generic]] | None:
        """The next input, None at the end."""
        arrays = next(self._left, None)
        return None if arrays is None else dict(arrays)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the quantiser, which prints its settings and advises what is done already."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(before)
