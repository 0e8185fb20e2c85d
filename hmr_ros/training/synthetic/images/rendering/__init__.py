# SPDX-License-Identifier: Apache-2.0
"""Rendering without a scene: ``raster`` (depth buffer), ``lights``, ``sensor`` (blur and noise), ``framing`` (crops).

``drawing`` and ``textures`` are 2D: lines, polygons and patterns for backgrounds and occluders.
"""
