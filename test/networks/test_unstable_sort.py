# SPDX-License-Identifier: Apache-2.0
import os
import subprocess
import sys

import numpy as np
import pytest
from numpy.random import default_rng

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.networks.coarsening import build_mesh_graph
from hmr_ros.networks.unstable_sort import scalar_quicksort_order

from .meshes import sphere

WITHOUT_VECTORS = os.environ | {"NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR AVX512_SKX AVX2"}
PROGRAM = """
import sys, numpy as np
lengths = [17, 100, 1000, 6890]
values = [np.random.default_rng(n).integers(0, 9, n).astype(float) for n in lengths]
np.savez(sys.argv[1], *[np.argsort(v) for v in values])
"""


def test_few_numbers_are_sorted_stably_and_more_are_not():
    assert scalar_quicksort_order(np.array([3.0, 1, 2, 1])).tolist() == [1, 3, 2, 0]
    assert scalar_quicksort_order(np.zeros(16)).tolist() == list(range(16))
    assert scalar_quicksort_order(np.zeros(17)).tolist() != list(range(17))
    assert scalar_quicksort_order(np.zeros(0)).tolist() == []


@pytest.mark.parametrize("count", [1, 16, 17, 500])
def test_the_order_sorts(count):
    values = default_rng(count).integers(0, 7, count).astype(float)
    order = scalar_quicksort_order(values)
    assert sorted(order.tolist()) == list(range(count))
    assert (np.diff(values[order]) >= 0).all()


@pytest.mark.slow
def test_the_order_is_that_of_numpy_without_vector_instructions(tmp_path):
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, tmp_path / "orders.npz"], env=WITHOUT_VECTORS, check=False
    )
    if found.returncode:
        pytest.skip("this numpy cannot do without its vector instructions")
    with np.load(tmp_path / "orders.npz") as orders:
        for name, count in zip(orders.files, (17, 100, 1000, 6890), strict=True):
            values = default_rng(count).integers(0, 9, count).astype(float)
            np.testing.assert_array_equal(orders[name], scalar_quicksort_order(values))


def test_the_visiting_order_decides_the_graph():
    faces, positions = sphere(300)
    stable, published = (
        build_mesh_graph(faces, positions, 3, **order) for order in ({}, {"order": scalar_quicksort_order})
    )
    assert len(stable.perm) != len(published.perm) or (stable.perm != published.perm).any()
    assert sorted(published.rev.tolist()) == sorted(set(published.rev.tolist()))


@pytest.mark.slow
def test_the_open_body_has_a_graph_in_either_order():
    body = load_body_model(models_dir() / "open_body.npz")
    graph = build_mesh_graph(body.faces, body.v_template, 9, order=scalar_quicksort_order)
    assert graph.sizes[0] == 512 * graph.sizes[-1]
