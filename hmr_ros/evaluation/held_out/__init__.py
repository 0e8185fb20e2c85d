# SPDX-License-Identifier: Apache-2.0
"""How a lifting network is measured on synthetic people (for ``hmr evaluate``)."""
