# SPDX-License-Identifier: Apache-2.0
"""Rendered images on disk: ``shards`` writes and reads them, ``sheet`` shows some with their skeletons."""
