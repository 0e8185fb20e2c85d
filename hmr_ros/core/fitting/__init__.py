# SPDX-License-Identifier: Apache-2.0
"""From a network's output to SMPL parameters and a root translation, in closed form.

placement calls the steps in their order: translation (the root, by keypoints), keypoint_pull (a mesh onto its
keypoints), smpl_fitting (parameters from vertices), keypoint_fit (joint rotations by keypoints). depth: distance and
size by a depth camera; ground: by the feet on a known plane.
"""
