# SPDX-License-Identifier: Apache-2.0
"""From a checkpoint to the files that the robot runs: ONNX, its fp16 model, and the manifest. Offline.

``checkpoint`` describes a checkpoint as network and manifest, ``onnx_graph`` converts PyTorch to ONNX, ``fp16``
converts an ONNX network from fp32 to fp16. Back again: ``starting`` makes a checkpoint of an exported network,
whose weights ``reading`` finds in its graph (``graph_pairs``).
"""
