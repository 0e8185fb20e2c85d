# SPDX-License-Identifier: Apache-2.0
"""BlazePose's networks from .tflite to ONNX, for `hmr convert-detector`.

``tflite_reader`` reads a file into plain records, ``onnx_writer`` translates them, ``blazepose`` names the two
networks.
"""
