# SPDX-License-Identifier: Apache-2.0
"""Tracked people and the node's load over time.

smoothing: bodies over time; root_motion: their positions; sizes, known_size: how large a person is; sizing: by depth,
ground and known sizes; ground_estimate: the ground by the people on it; velocity: walking speed; coasting: where unseen
people are expected; presence: which tracks exist; shedding: what work is left out to be in time; histogram: counts of
latencies.
"""
