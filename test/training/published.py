# SPDX-License-Identifier: Apache-2.0
"""What the shipped recipes leave to defaults, and the ranges that settings may be set to.

The errors of docs/evaluation.md are of networks trained with these defaults, and of people drawn with them. With
others, `hmr train` makes other networks of the same recipe, and the figures compare no more. A change belongs into the
changelog, with new figures.
"""

from hmr_ros.core.settings import Setting, describe


def assert_published(cls: type, **defaults: object) -> None:
    """The defaults of all numbers of a settings dataclass, its groups left out, are ``defaults``."""
    own = {s.name: s.default for s in describe(cls) if "." not in s.name and not isinstance(s.default, str)}
    assert own == defaults


def assert_ranges(cls: type, **ranges: tuple[float | None, float | None]) -> None:
    """Fractions go from none to all, other numbers from 0 up; but for ``ranges``, (low, high)."""
    for setting in describe(cls):
        if "." not in setting.name and setting.choices is None and setting.type not in ("str", "list of str", "bool"):
            usual = (0, 1 if is_fraction(setting) else None)
            assert (setting.low, setting.high) == ranges.get(setting.name, usual), setting.name


def is_fraction(setting: Setting) -> bool:
    """Whether the doc speaks of a fraction of people, poses or images, which may be none and may be all."""
    return setting.doc.startswith("fraction") and not any(w in setting.doc for w in ("learning rate", "dropped"))
