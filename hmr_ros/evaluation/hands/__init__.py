# SPDX-License-Identifier: Apache-2.0
"""Errors of estimated hands; ``freihand`` is the protocol of that data set."""
