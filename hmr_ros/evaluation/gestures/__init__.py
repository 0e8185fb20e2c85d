# SPDX-License-Identifier: Apache-2.0
"""How well gestures are recognised (core/ros4hri/gestures.py), on made sequences.

``report()`` is the table of docs/hands.md: people who make gestures and people who do other things, their joints off as
those of estimated bodies are. Thresholds were chosen on sequences of other random seeds.
"""

from hmr_ros.evaluation.gestures.report import report as report
