# SPDX-License-Identifier: Apache-2.0
"""Body models that were freed do not pile up: a node that is configured again and again loads one each time."""

import gc
import weakref

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.fitting import smpl_fitting
from hmr_ros.core.manifest import models_dir


def test_at_most_one_freed_model_is_kept():
    kept = []
    for _ in range(4):
        model = load_body_model(models_dir() / "open_body.npz")
        smpl_fitting._basis(model)
        kept.append(weakref.ref(model))
        del model
    gc.collect()
    assert sum(model() is not None for model in kept) <= 1
