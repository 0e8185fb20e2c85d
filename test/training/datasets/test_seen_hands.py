# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from hmr_ros.training.datasets.seen_hands import SeenHands, chunk_path, read_seen_hands, write_chunk


def some(count: int, presence: float = 1.0, size: float = 60.0, seed: int = 0) -> SeenHands:
    """Hands of random numbers."""
    rng = np.random.default_rng(seed)
    shapes = ((3,), (15, 3), (10,), (3,), (21, 2), (21, 2), (21, 3))
    arrays = [rng.normal(size=(count, *shape)).astype(np.float32) for shape in shapes]
    return SeenHands(*arrays, *(np.full(count, value, np.float32) for value in (presence, 1.0, size)))


def test_chunks_come_back_in_order_without_hands_that_the_robot_would_not_see(tmp_path: Path):
    parts = [some(3, seed=1), some(2, presence=0.4), some(2, size=20.0), some(1, seed=2)]
    for number, part in enumerate(parts):
        write_chunk(part, chunk_path(tmp_path, number))
    found = read_seen_hands(tmp_path)
    assert_array_equal(found.seen, np.concatenate([parts[0].seen, parts[3].seen]))
    assert_array_equal(found.pose, np.concatenate([parts[0].pose, parts[3].pose]))


def test_a_directory_without_chunks_and_a_damaged_one_are_named(tmp_path: Path):
    with pytest.raises(ValueError, match="hmr render-hands"):
        read_seen_hands(tmp_path)
    np.savez(chunk_path(tmp_path, 0), pose=np.zeros((2, 15, 3)))
    with pytest.raises(ValueError, match=r"00000\.npz: not a chunk of `hmr render-hands`"):
        read_seen_hands(tmp_path)
    chunk_path(tmp_path, 0).write_bytes(b"broken")
    with pytest.raises(ValueError, match=r"00000\.npz: not a chunk"):
        read_seen_hands(tmp_path)
