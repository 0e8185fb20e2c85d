# SPDX-License-Identifier: Apache-2.0
"""The order of equal numbers in numpy's scalar quicksort, on which the graphs of published Pose2Mesh weights depend.

numpy's sort is stable only on request, and its default differs between processors. Weights trained on a machine without
vector sorts fit the graphs of that order alone; this is the same algorithm: median of three, insertion sort of up to 16
numbers, the larger part later.
"""

from __future__ import annotations

import numpy as np

from hmr_ros.core.arrays import Floats, Int64s

_SMALL = 15
"""Parts whose ends are no farther apart than this are sorted by insertion."""


def scalar_quicksort_order(values: Floats) -> Int64s:
    """(N,) -> (N,): what ``np.argsort(values)`` gives without vector instructions.

    numpy changes to heapsort where its parts become too uneven; then this raises ValueError.
    """
    order, keys = list(range(len(values))), values.tolist()
    waiting = [(0, len(order) - 1, 2 * (max(1, len(order)).bit_length() - 1))]
    while waiting:
        low, high, depth = waiting.pop()
        while high - low > _SMALL:
            if depth < 0:
                raise ValueError("the numbers are such that numpy would change to heapsort, whose order is not known")
            middle = _partition(order, keys, low, high)
            depth -= 1
            if middle - low < high - middle:
                waiting.append((middle + 1, high, depth))
                high = middle - 1
            else:
                waiting.append((low, middle - 1, depth))
                low = middle + 1
        _insertion_sort(order, keys, low, high)
    return np.array(order, np.int64)


def _partition(order: list[int], keys: list[float], low: int, high: int) -> int:
    """Put what is smaller than a pivot before it and what is larger behind; the pivot's position."""
    middle = low + ((high - low) >> 1)
    for a, b in ((middle, low), (high, middle), (middle, low)):
        if keys[order[a]] < keys[order[b]]:
            order[a], order[b] = order[b], order[a]
    pivot, left, right = keys[order[middle]], low, high - 1
    order[middle], order[right] = order[right], order[middle]
    while True:
        left += 1
        while keys[order[left]] < pivot:
            left += 1
        right -= 1
        while pivot < keys[order[right]]:
            right -= 1
        if left >= right:
            order[left], order[high - 1] = order[high - 1], order[left]
            return left
        order[left], order[right] = order[right], order[left]


def _insertion_sort(order: list[int], keys: list[float], low: int, high: int) -> None:
    for start in range(low + 1, high + 1):
        item, place = order[start], start
        while place > low and keys[item] < keys[order[place - 1]]:
            order[place] = order[place - 1]
            place -= 1
        order[place] = item
