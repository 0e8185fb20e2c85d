# SPDX-License-Identifier: Apache-2.0
"""Whether a network computes the same wherever it runs: `hmr parity`, and the gate of `hmr fp16`.

``inputs`` records what networks get, ``runs`` runs them, ``quantities`` measures differences in mm or px, ``compare``
reports them, ``layers`` finds the nodes that lose accuracy in fp16.
"""
