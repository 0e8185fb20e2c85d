# SPDX-License-Identifier: Apache-2.0
"""People of licensed data sets as training samples, in the records of ``training/synthetic``.

``images`` reads the images, ``people`` draws people, ``mixture`` joins several sources by weight.
"""
