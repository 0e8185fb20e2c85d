# SPDX-License-Identifier: Apache-2.0
"""The papers' evaluations by name: `hmr evaluate --protocol`.

``registry`` is the table of them, ``errors`` what is computed of a person, ``evaluate`` runs a network over the data,
``report`` prints it. docs/datasets.md explains each.
"""
