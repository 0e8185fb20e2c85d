# SPDX-License-Identifier: Apache-2.0
"""Synthetic people with exact labels, drawn from a numpy Generator: the same seed gives the same people.

``poses`` -> ``people`` (bodies, ``cameras``, ``visibility``) -> ``keypoints`` (a detector's errors, ``noise``). With
images: ``images`` renders people, and ``subjects`` cuts their crops.
"""
