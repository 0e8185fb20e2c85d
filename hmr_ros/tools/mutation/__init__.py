# SPDX-License-Identifier: Apache-2.0
"""Mutation testing of this tree: small wrong changes to a copy of it, and whether the tests notice them."""
