# SPDX-License-Identifier: Apache-2.0
import os
import sys

# Before numpy and torch start their threads: those wait for one another by spinning, so that beside another program
# a test in two threads takes ten times the processor time that it takes in one.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _torch_draws_the_same() -> None:
    """What a test draws by torch does not depend on the tests before it."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)
