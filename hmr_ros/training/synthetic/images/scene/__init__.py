# SPDX-License-Identifier: Apache-2.0
"""One image's scene: ``figures`` in front of ``backgrounds`` or ``scenery``, behind ``occluders``.

``scene`` paints it; ``survey`` finds what of the subject remains visible.
"""
