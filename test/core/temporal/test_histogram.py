# SPDX-License-Identifier: Apache-2.0
import numpy as np

from hmr_ros.core.temporal.histogram import BOUNDS_MS, LatencyHistogram


def test_every_latency_is_in_one_bucket_whose_bound_is_not_below_it():
    histogram = LatencyHistogram()
    for latency_ms in (-5, 0.5, 1, 1.5, 30, 31, 999, 1001, float("inf")):
        histogram.add(latency_ms * 1e-3)
    total = histogram.report().total
    assert len(total) == len(BOUNDS_MS) + 1
    bounds = (*BOUNDS_MS, np.inf)
    found = [bounds[k] for k in range(len(total)) for _ in range(total[k])]
    assert found == [1, 1, 1, 2, 30, 40, 1000, np.inf, np.inf]


def test_reports_count_all_and_what_is_new():
    histogram = LatencyHistogram()
    histogram.add(0.0015)
    assert (histogram.report().total.sum(), histogram.report().recent.sum()) == (1, 0)
    histogram.add(0.0025)
    histogram.add(0.0025)
    counts = histogram.report()
    assert counts.total[:3].tolist() == [0, 1, 2]
    assert counts.recent[:3].tolist() == [0, 0, 2]
    histogram.add(0.0015)
    assert counts.total[1] == 1, "a report does not change afterwards"
