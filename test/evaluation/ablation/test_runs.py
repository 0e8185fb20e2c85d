# SPDX-License-Identifier: Apache-2.0
import dataclasses

import pytest
import torch

from hmr_ros.core.body.body_model import load_body_model
from hmr_ros.core.manifest import models_dir
from hmr_ros.evaluation.ablation.runs import load_common
from test.networks.global_to_pixel.test_network import SMALL, build, roughened

BODY = load_body_model(models_dir() / "open_body.npz")


@pytest.mark.parametrize(("setting", "value"), [("local", "off"), ("sampler", "roi")])
def test_a_variant_starts_from_the_weights_of_the_parts_that_it_has(setting, value):
    whole = roughened(build(BODY, SMALL)).state_dict()
    variant = build(BODY, dataclasses.replace(SMALL, **{setting: value}))
    own = {name: old.clone() for name, old in variant.state_dict().items()}
    load_common(variant, whole)
    for name, weight in variant.state_dict().items():
        has = name in whole and whole[name].shape == weight.shape
        assert torch.equal(weight, whole[name] if has else own[name]), name
