# SPDX-License-Identifier: Apache-2.0
"""Readers that turn motion capture files into SMPL poses (for ``hmr prepare-motion``)."""
