# SPDX-License-Identifier: Apache-2.0
"""The body model.

body_model: files in SMPL's schema, posed; skinning: forward kinematics and blend skinning; posing: estimates to bodies;
capsules: collision shapes; decimation: fewer points and triangles.
"""
