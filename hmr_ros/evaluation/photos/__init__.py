# SPDX-License-Identifier: Apache-2.0
"""Estimated bodies against joints labelled by hand in photos, for `hmr evaluate-photos`.

``labels`` reads photos and labels, ``reprojection`` measures distances in the image, ``regions`` relates them to the
covariances, ``scores`` are PCK and its intervals.
"""
