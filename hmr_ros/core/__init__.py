# SPDX-License-Identifier: Apache-2.0
"""The language of the project, in numpy and the standard library alone: what everything else imports.

Records
    people: Camera, Detections, Crops, Estimates, Bodies; records: what these have in common; manifest: what a network
    expects and returns; config: the node's parameters, by settings; share: where shipped files lie.
Geometry
    rotation; camera: lenses and projection; crop, crop_view: a person's part of the image; person_box; frames: TF.
The body
    skeleton: sets of joints; body_model and skinning: SMPL's schema; posing: parameters to meshes; body_frame: where a
    body is, as ROS has it; capsules: collision shapes; decimation: fewer points and triangles.
From networks to people
    lifting: keypoints in each person's own camera; fitting, keypoint_pull, smpl_fitting and keypoint_fit, which
    placement puts in their order; depth: distance and size by a depth camera.
Over time
    smoothing; velocity; coasting: who is not seen; presence: who is there; shedding: what there is no time for;
    histogram: latencies.
ROS4HRI
    human_joints: SMPL's joints as revolute joints; human_urdf; human_motion: people from image to image.
How good it is
    uncertainty: covariances, and what they are calibrated with; metrics: errors.
"""
