# SPDX-License-Identifier: Apache-2.0
"""Tracked people and the node's load over time.

smoothing: the one-euro filter per track; velocity: walking speed; coasting: where unseen people are expected; presence:
which tracks exist; shedding: what work is left out to be in time; histogram: counts of latencies.
"""
