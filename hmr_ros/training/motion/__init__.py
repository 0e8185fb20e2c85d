# SPDX-License-Identifier: Apache-2.0
"""Readers that make SMPL poses of motion capture files, for ``hmr prepare-motion``.

``amass`` reads SMPL-H recordings; ``bvh`` reads skeletons, which ``retarget`` lays onto SMPL's; ``clip`` resamples,
cuts and joins recordings.
"""
