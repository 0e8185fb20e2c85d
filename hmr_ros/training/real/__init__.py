# SPDX-License-Identifier: Apache-2.0
"""People of licensed data sets as training samples, in the records of ``training/synthetic``.

``data_sets`` reads those of a run. ``images`` (and ``image_size``) read the images, ``people`` draws people, ``crops``
people with images, as the records of ``labels``; ``mixture`` joins several sources by weight.
"""
