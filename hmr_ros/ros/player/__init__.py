# SPDX-License-Identifier: Apache-2.0
"""A camera without hardware, and subscribers to the node, for ``hmr demo``, ``hmr bench ros`` and tests.

player      ``hmr_player``: publishes images and their calibration
sources     where its images come from: a video, a directory, a webcam; calibration: their CameraInfo
recorder    keeps images and bodies; stopwatch: measures latencies, heard: by what; session: ROS started and
            spun around either
"""
