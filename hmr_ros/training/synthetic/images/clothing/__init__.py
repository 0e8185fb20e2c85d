# SPDX-License-Identifier: Apache-2.0
"""Clothes: where they lie (``garments``), what they are made of (``fabrics``), who wears what (``wardrobes``).

``appearance`` draws a whole look, ``drapes`` hangs loose cloth, ``shading`` paints bodies in all of it.
"""
