# SPDX-License-Identifier: Apache-2.0
import pytest

from hmr_ros.bench import capsules
from hmr_ros.bench.protocol import Options
from hmr_ros.core.body.capsules import PADDING_M


@pytest.mark.slow
def test_figures_are_those_of_the_docs(monkeypatch):
    """On fewer bodies, so roughly; docs/planning.md has the table."""
    monkeypatch.setattr(capsules, "BODIES", 3 * capsules.BATCH)
    monkeypatch.setattr(capsules, "VOLUME_BODIES", 3)
    row = capsules.run(Options(repeats=1))
    at = f"padding {PADDING_M * 100:g} cm: "
    assert row["figures"][f"{at}vertices inside"] == pytest.approx(0.999, abs=0.001)
    assert row["figures"][f"{at}volume of the union / of the body"] == pytest.approx(3.1, abs=0.4)
    assert row["figures"]["padding 0 cm: vertices inside"] == pytest.approx(0.967, abs=0.01)
