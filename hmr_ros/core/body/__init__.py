# SPDX-License-Identifier: Apache-2.0
"""Models of the body and of hands.

skinned_model: files in SMPL's schema, posed; body_model, hand_model: bodies and hands; articulated_hands: both in one;
finger_skin: fingers on posed bodies; skinning: forward kinematics and blend skinning; posing: estimates to bodies;
growth: sizes and the shapes of larger and smaller bodies; capsules, hand_capsules: collision shapes; decimation: fewer
points and triangles.
"""
