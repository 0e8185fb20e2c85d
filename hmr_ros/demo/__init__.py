# SPDX-License-Identifier: Apache-2.0
"""The run of `hmr demo` and its files.

``play`` starts camera and node and records what they publish, ``images`` and ``view3d`` draw it, ``compare`` draws two
methods side by side, ``report`` is the table at the end; ``tape`` and ``scene`` are the files demo.mcap and demo.rrd;
``hands_clip`` is the clip of ``--hands``.
"""
