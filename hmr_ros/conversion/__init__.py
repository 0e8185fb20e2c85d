# SPDX-License-Identifier: Apache-2.0
"""Other people's models, converted once to the files that this package reads.

``detector`` converts MediaPipe's networks to ONNX, ``human_models`` NanoDet and MoveNet; ``smpl`` converts a licensed
SMPL model, read by ``core/restricted_pickle``. ``onnx_graph`` and ``artefact`` write what the first two have in common.
"""
