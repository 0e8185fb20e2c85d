# SPDX-License-Identifier: Apache-2.0
"""The ablation of Global-to-Pixel: the same training with one part of the method left out, for `hmr ablate`.

``variants`` are the rows of the table, ``features`` the inputs computed once, ``runs`` trains and evaluates, ``report``
compares.
"""
