# SPDX-License-Identifier: Apache-2.0
"""Optimal one-to-one assignment, for the few dozen people of one image."""

from __future__ import annotations

import numpy as np

from hmr_ros.core.arrays import Floats, Int64s


def assign(cost: Floats) -> Int64s:
    """Pairs (min(R, C), 2) of row and column, in the order of rows, with the minimum total of finite ``cost`` (R, C).

    >>> assign(np.array([[1.0, 9.0], [2.0, 3.0]])).tolist()
    [[0, 0], [1, 1]]

    Source: Jonker and Volgenant, "A shortest augmenting path algorithm for dense and sparse linear assignment
    problems", Computing 38, 1987; O(R² C).
    """
    if cost.shape[0] > cost.shape[1]:
        pairs = assign(cost.T)[:, ::-1]
        return pairs[np.argsort(pairs[:, 0])]
    if len(cost) == 1:
        return np.array([[0, cost[0].argmin()]])
    matching = _Matching(cost)
    for row in range(len(cost)):
        matching.add(row)
    return np.stack([np.arange(len(cost)), matching.column_of], axis=1)


class _Matching:
    """A best assignment of the rows added so far, with the prices (dual variables) that prove it."""

    def __init__(self, cost: Floats) -> None:
        rows, columns = cost.shape
        self._cost = cost.astype(np.float64)
        self._row_price, self._column_price = np.zeros(rows), np.zeros(columns)
        self.column_of = np.full(rows, -1, np.int64)
        self._row_of = np.full(columns, -1, np.int64)

    def add(self, start: int) -> None:
        """Give row ``start`` the cheapest column that it can reach by moving other rows (Dijkstra's algorithm)."""
        distance = np.full(len(self._row_of), np.inf)
        closed = np.zeros(len(self._row_of), np.bool_)
        reached_from = np.full(len(self._row_of), start)
        row, length = start, 0.0
        while True:
            through = length + self._cost[row] - self._row_price[row] - self._column_price
            shorter = ~closed & (through < distance)
            distance[shorter], reached_from[shorter] = through[shorter], row
            column = int(np.where(closed, np.inf, distance).argmin())
            length = float(distance[column])
            row = int(self._row_of[column])
            if row < 0:
                break
            closed[column] = True
        self._row_price[start] += length
        self._row_price[self._row_of[closed]] += length - distance[closed]
        self._column_price[closed] -= length - distance[closed]
        self._shift(start, column, reached_from)

    def _shift(self, start: int, column: int, reached_from: Int64s) -> None:
        """Walk the path back from the free ``column``: each row moves on to the column that was reached from it."""
        row = -1
        while row != start:
            row = int(reached_from[column])
            self._row_of[column] = row
            column, self.column_of[row] = int(self.column_of[row]), column
