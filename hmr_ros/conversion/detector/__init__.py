# SPDX-License-Identifier: Apache-2.0
"""Networks of MediaPipe from .tflite to ONNX, for `hmr convert-detector` and `hmr convert-hands`.

``tflite_reader`` reads a file into plain records, ``onnx_writer`` translates them, ``wheel`` finds them and writes the
results, ``blazepose`` and ``hands`` name the networks.
"""
