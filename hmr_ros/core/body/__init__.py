# SPDX-License-Identifier: Apache-2.0
"""The body model.

body_model: files in SMPL's schema, posed; skinning: forward kinematics and blend skinning; posing: estimates to bodies;
growth: sizes and the shapes of larger and smaller bodies; capsules: collision shapes; decimation: fewer points and
triangles.
"""
