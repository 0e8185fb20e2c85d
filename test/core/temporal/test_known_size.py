# SPDX-License-Identifier: Apache-2.0
"""When a known size is kept against the evidence, and when it is given up."""

import pytest

from hmr_ros.core.temporal.known_size import KnownSize, SizeMeasurement
from hmr_ros.core.temporal.sizes import Size


def known(guess, measured):
    size = Size().with_guess(guess, 0.1)
    return KnownSize(size.with_measurement(measured, 1 / 0.01**2, 1 / 0.01**2))


def refused(track, size, count):
    for _ in range(count):
        track.refuse(SizeMeasurement(size, 0.03, 1 / 0.01**2), 1.0)
    return track.size.mean


@pytest.mark.parametrize(
    ("guess", "measured", "evidence", "count", "expected"),
    [
        (1.0, 1.0, 0.7, 1, 1.0),
        (1.0, 1.0, 0.7, 2, 0.7),  # nobody sinks into the floor
        (1.0, 0.7, 1.0, 5, 0.7),
        (1.0, 0.7, 1.0, 6, 1.0),  # as large as the person looks
        (0.7, 0.7, 1.0, 20, 0.7),  # a child who climbed on something
        (1.0, 1.0, 0.3, 20, 1.0),  # nobody is so small
    ],
)
def test_lasting_evidence_refutes_a_size_sooner_downwards(guess, measured, evidence, count, expected):
    assert refused(known(guess, measured), evidence, count) == pytest.approx(expected, abs=0.03)


def test_evidence_that_contradicts_itself_refutes_nothing():
    track = known(1.0, 1.0)
    for size in (0.6, 0.8) * 5:
        refused(track, size, 1)
    assert track.size.mean == pytest.approx(1.0, abs=0.01)


def test_an_agreement_ends_all_doubt():
    track = known(1.0, 1.0)
    refused(track, 0.7, 1)
    track.accept(SizeMeasurement(1.0, 0.03, 1 / 0.01**2), 1.0)
    assert refused(track, 0.7, 1) == pytest.approx(1.0, abs=0.01)


def test_contacts_rise_by_the_images_of_the_last_tenths_of_a_second():
    track = KnownSize()
    assert track.rising(0.0, 0.0) == 1.0, "not known yet"
    assert track.rising(0.05, 0.05) == 1.0
    assert track.rising(0.1, 0.02) == pytest.approx(0.2)
    assert track.rising(0.16, 0.15) == pytest.approx(0.1 / 0.11)
    assert track.rising(2.0, 0.0) == 1.0, "that was long ago"


def test_measurements_are_fresh_after_half_a_second():
    track = KnownSize()
    assert [track.fresh(stamp) for stamp in (3.0, 3.1, 3.1, 3.6, 9.0)] == pytest.approx([1, 0.2, 0, 1, 1])
