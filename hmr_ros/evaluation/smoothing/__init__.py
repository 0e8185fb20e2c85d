# SPDX-License-Identifier: Apache-2.0
"""What smoothing over time does to positions of people who move, measured on motion capture before simulated cameras.

``trial`` smooths them at several frame rates, by what the robot runs and by a one-euro filter (``one_euro``);
``report`` makes the table of `hmr evaluate --smoothing`.
"""
