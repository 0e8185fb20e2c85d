# SPDX-License-Identifier: Apache-2.0
"""The ablations of Pose2Mesh, for `hmr ablate pose2mesh`: whole trainings that differ in one thing.

``tables`` are the comparisons, ``training`` makes the networks, ``testing`` their errors on the same people, ``report``
the tables.
"""
