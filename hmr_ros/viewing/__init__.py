# SPDX-License-Identifier: Apache-2.0
"""Results in the viewer Rerun (rerun.io): what `hmr view` shows.

scene: snapshots -> what Rerun draws; people: one of them
layout: which panels show what
output: a file, a window or a browser; live: snapshots of a running node
"""
