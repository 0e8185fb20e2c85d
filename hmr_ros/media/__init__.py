# SPDX-License-Identifier: Apache-2.0
"""Images and videos as files: what they are read from and how they are written. Needs OpenCV, neither ROS nor networks.

    errors: SourceError
    images: one image file (read, write), and images put together
    video: a video or webcam, frame by frame; video files to write
    sources: what a command line names: a photo, a directory of photos, a video or a webcam

The player, `hmr demo` and `hmr run` share it.
"""
