# SPDX-License-Identifier: Apache-2.0
"""ONNX files and ONNX Runtime.

check: rules that a file must keep before any parser reads it; protobuf, weights: the reader for it; engine: ONNX
Runtime on CPU or GPU, from its Python package (python_session) or, where that is missing, from its C library
(c_library, c_session); session: what both have in common; thread_choice: all threads or one, whichever is
faster at present.
"""
