# SPDX-License-Identifier: Apache-2.0
"""Readers of data: the project's motion files (``motion``), and licensed data sets of annotated people.

``annotated`` is the record that the readers ``human36m``, ``spin``, ``coco_fits``, ``eft``, ``threedpw`` and
``threedpw_pickles`` return; ``layouts`` is the table of their files. ``cameras`` completes what annotations lack,
``filters`` leaves out bad fits.
"""
