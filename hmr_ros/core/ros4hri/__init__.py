# SPDX-License-Identifier: Apache-2.0
"""People as ROS4HRI (REP-155) describes them.

body_frame: the ``body_<id>`` frame; joints: SMPL rotations as 20 revolute joints; hands: those below the wrists;
gestures: of bodies and hands; urdf: a person's URDF; motion: angles, rates and link lengths from image to image.
"""
