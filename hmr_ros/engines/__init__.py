# SPDX-License-Identifier: Apache-2.0
"""Runs networks: named arrays in, named arrays out. Nothing here knows what the arrays mean.

runtime: the Engine protocol and EngineOptions; opening: opens a network with a backend; backends: which backend, and
why; variants: models of a network in fp16 and int8; cpu_precision: which of them a CPU runs; switching: serves on the
CPU while TensorRT builds; sharing: one engine for several cameras. Packages: onnx (ONNX Runtime, and the check of every
ONNX file), tensorrt (both editions), cache (TensorRT engines on disk).
"""
