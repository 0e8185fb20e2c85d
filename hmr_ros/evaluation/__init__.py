# SPDX-License-Identifier: Apache-2.0
"""How good networks are: what `hmr evaluate`, `calibrate`, `ablate`, `evaluate-photos`, `parity` and `fp16` measure.

``held_out`` (errors and covariances on people that training never saw) and ``ablation`` are offline; ``photos``,
``ground`` (distances of people on a floor) and ``parity`` run the robot's own perception and engines. ``crowd`` renders
images with a known number of people.
"""
