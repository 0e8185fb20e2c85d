# SPDX-License-Identifier: Apache-2.0
"""Keeping in fp32 what loses most, and no more than that."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto

from hmr_ros.evaluation.parity.layers import Loss, convert, groups, losses
from hmr_ros.evaluation.parity.quantities import Distance, Gate, Quantity
from hmr_ros.export.fp16 import emulated
from test.export.test_fp16 import layers, network, node, run

X = np.random.default_rng(2).normal(size=(30, 4)).astype(np.float32)


def fragile() -> ModelProto:
    """Three products; the second takes the difference of large numbers, in which fp16 loses everything."""
    rng = np.random.default_rng(3)
    weights = {name: rng.normal(size=(4, 4)).astype(np.float32) for name in "abc"}
    return network(
        node("MatMul", "x,a", "first"),
        node("MatMul", "first,b", "second"),
        node("Add", "second,large", "raised"),
        node("Sub", "raised,large", "lowered"),
        node("MatMul", "lowered,c", "third"),
        node("Relu", "third", "y"),
        large=np.full(4, 1000, np.float32),
        **weights,
    )


def measure_against(model: ModelProto, gate: Gate):
    reference = run(model, X)
    quantity = Quantity("y", "m", lambda outputs: outputs["y"], gate)

    def measure(half: ModelProto) -> list[Distance]:
        gaps = quantity.gaps({"y": run(emulated(half), X)}, {"y": reference})
        return [Distance(quantity, float(gaps.mean()), float(gaps.max()))]

    return measure


def test_a_group_is_a_product_and_what_follows() -> None:
    assert [group.nodes for group in groups(fragile())] == [
        ("first",),
        ("second", "raised", "lowered"),
        ("third", "y"),
    ]
    assert [group.name for group in groups(layers())] == ["first", "second"]


def test_finds_the_layer_that_loses_most() -> None:
    model = fragile()
    ranked = losses(model, (), measure_against(model, Gate(0.05, 0.1)))
    assert ranked[0].group.name == "second"
    assert ranked[0].severity < 0.2 * ranked[1].severity


def test_keeps_it_and_nothing_else() -> None:
    model, reported = fragile(), list[Loss]()
    conversion = convert(model, measure_against(model, Gate(0.05, 0.1)), reported.extend)
    assert conversion.accepted
    assert conversion.kept == ("second", "raised", "lowered")
    assert len(reported) == 3


def test_keeps_nothing_where_nothing_is_lost() -> None:
    model, reported = fragile(), list[Loss]()
    conversion = convert(model, measure_against(model, Gate(100, 100)), reported.extend)
    assert conversion.accepted
    assert conversion.kept == ()
    assert reported == []


def test_what_cannot_be_accurate_is_not_accepted() -> None:
    model = fragile()
    assert not convert(model, measure_against(model, Gate(1e-7, 1e-7)), lambda ranked: None).accepted
