# SPDX-License-Identifier: Apache-2.0
"""The benches of `hmr bench`: each is a module with ``run(options) -> Row``, listed in ``protocol.BENCHES``.

They share ``timing`` (calls timed in turns), ``flops`` (the cost of a network) and ``report`` (the printed table and
the machine). The node over DDS: ``ros_case`` and ``ros_measuring``; ``camera``, ``traced_node`` and ``stub_node`` are
its processes, ``recording`` writes what an image goes through, ``split`` and ``split_table`` read it, ``thread_times``.
"""
