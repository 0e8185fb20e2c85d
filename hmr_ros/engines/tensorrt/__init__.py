# SPDX-License-Identifier: Apache-2.0
"""TensorRT and TensorRT for RTX, called "editions".

build_request: what an engine is built for; build: ONNX to engine; engine: runs one; api: all that differs between the
editions and versions; types: what their Python APIs have in common; cuda: the CUDA driver by ctypes.
"""
