# SPDX-License-Identifier: Apache-2.0
"""The benches of `hmr bench`: each is a module with ``run(options) -> Row``, listed in ``protocol.BENCHES``.

They share ``timing`` (calls timed in turns), ``flops`` (the cost of a network), ``ros_case`` and ``stub_node`` (the
node over DDS) and ``report`` (the printed table and the machine).
"""
