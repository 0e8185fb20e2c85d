# SPDX-License-Identifier: Apache-2.0
"""Distances and sizes of people on the ground, measured on motion capture before simulated cameras.

``scenes`` draws cameras with moving people and their keypoints, ``trial`` places them with grounds that are true,
wrong or estimated, ``report`` makes the table of `hmr evaluate --ground`.
"""
