# SPDX-License-Identifier: Apache-2.0
"""Geometry without a body.

rotation: rotation vectors, matrices, quaternions, 6D; camera: lenses and projection; keypoints: which ones count, and
their angular size; virtual_camera: the input of lifting networks; crop, crop_view: a person's crop as an affine map and
as a camera; person_box: boxes around bodies; frames: transforms between TF frames over time; ground: the
plane that people stand on.
"""
