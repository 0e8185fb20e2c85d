# SPDX-License-Identifier: Apache-2.0
"""Training: synthetic people, recipes and the loop that runs them. Its result is a checkpoint, which export reads.

Read in this order:

1. ``config``: all settings of a run, and with them its parts by name.
2. ``train``: the loop, with stages, running average, validation and checkpoints (``checkpoint``).
3. ``recipes``: what the loop asks of a method (``Recipe``), then ``recipes/compact``, the shortest one in full.
4. ``synthetic``: where samples come from: poses -> people -> cameras -> keypoints with errors, or whole images.
5. ``losses``, ``global_to_pixel_loss``: the terms that are minimised.

``motion`` turns motion capture into the poses that are sampled (``datasets/motion``); ``datasets`` also reads licensed
data sets, and ``real`` makes samples of their people. ``distributed`` trains in several processes.
"""
