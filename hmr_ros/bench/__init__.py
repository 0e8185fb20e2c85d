"""Benches of `hmr bench`: each is a module with ``run(options) -> Row``, named in ``protocol.BENCHES``.

What they share: ``timing`` (calls timed in turns), ``crowd`` (images with a known number of people), ``flops`` (what a
network costs), ``ros_case`` and ``stub_node`` (the node over DDS), ``report`` (what is printed).
"""
