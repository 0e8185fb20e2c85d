# SPDX-License-Identifier: Apache-2.0
"""Readers of data: the project's motion files (``motion``), and licensed data sets of annotated people.

``annotated`` is the record that the readers ``human36m``, ``spin`` and ``threedpw`` return.
"""
