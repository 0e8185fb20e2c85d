# SPDX-License-Identifier: Apache-2.0
from hmr_ros.core.bounded import Bounded


def test_a_bounded_dict_keeps_what_was_set_last():
    kept = Bounded(3)
    for number in range(10):
        kept[number] = str(number)
    assert dict(kept) == {7: "7", 8: "8", 9: "9"}


def test_setting_a_key_again_forgets_nothing():
    kept = Bounded(2)
    kept["a"], kept["b"], kept["b"] = 1, 2, 3
    assert dict(kept) == {"a": 1, "b": 3}
