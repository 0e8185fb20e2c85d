# SPDX-License-Identifier: Apache-2.0
"""What `hmr run` or the node left, read again: image after image with its bodies. No ROS.

snapshot: one image with its bodies
arrays_file: bodies.npz; recording_file: an .mcap or other recording with the topic bodies
images: the images that the bodies were estimated from, of a video or recording
opening: a file -> its snapshots
floor: the floor under people's feet, by which the scene is upright
report_file: the JSON reports of commands that measure
"""
