# SPDX-License-Identifier: Apache-2.0
"""Tracks as motion files: what `hmr export-motion` writes. No ROS.

track: one person's motion at a constant rate; collecting: snapshots -> tracks
bvh_file, amass_file, gltf_file, joints_file: the formats
writing: all files of a result
"""
