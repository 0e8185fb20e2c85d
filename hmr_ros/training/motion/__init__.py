"""Readers that turn motion capture files into SMPL poses (for ``hmr prepare-motion``)."""
