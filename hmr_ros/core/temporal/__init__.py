# SPDX-License-Identifier: Apache-2.0
"""Tracked people and the node's load over time.

smoothing: the one-euro filter per track; sizes, known_size: how large a person is; sizing: distance and size by depth,
ground and known sizes; ground_estimate: the ground by the people on it; velocity: walking speed; coasting: where unseen
people are expected; presence: which tracks exist; shedding: what work is left out to be in time; histogram: counts of
latencies.
"""
