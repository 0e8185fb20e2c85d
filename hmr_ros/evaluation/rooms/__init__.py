# SPDX-License-Identifier: Apache-2.0
"""People in rooms with several cameras, fused: who is who, and where, against the truth.

``scenes`` draws rooms, cameras and people who walk about, ``cameras`` detects and estimates them as robots do,
``trial`` fuses what cameras say, ``report`` makes the table of `hmr evaluate --cameras`.
"""
