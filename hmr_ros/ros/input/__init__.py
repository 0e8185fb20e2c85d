# SPDX-License-Identifier: Apache-2.0
"""What the node subscribes.

inputs              all subscriptions of a camera, and the newest image in a slot (slot)
subscriptions       subscriptions that follow the QoS of their publishers
images              image messages -> RGB pixels; image_header: the size of a compressed image before it is decoded
bit_depth           16-bit pixels -> 8 bits
camera_info         which calibration belongs to an image; camera_model: CameraInfo -> ``Camera``
depth               the depth image that belongs to an image; depth_messages: its pixels, depth_values: in metres
detections          what another detector finds in an image; detection_sources: its topics; detection_messages: its
                    messages -> ``Detections``; waiting_slot: images that wait for them
ground              the ground below the camera
transform_listener  TF -> a tree of frames; transform_messages: its bytes
fixed_frames        where the camera was when it took an image
"""
