# SPDX-License-Identifier: Apache-2.0
"""Tables of the guides from reports."""

import json

import pytest

from hmr_ros.tools import measured_tables
from hmr_ros.tools.measured_tables import (
    forecasts_table,
    fusion_table,
    held_out_table,
    markdown,
    missing_table,
    regions_table,
)


@pytest.fixture
def report(tmp_path, monkeypatch):
    """Writes a report, of which the tables are made then."""
    monkeypatch.setattr(measured_tables, "MEASURED", tmp_path)
    return lambda name, **tables: (tmp_path / f"{name}.json").write_text(json.dumps(tables))


def held_out(source: str, mpjpe: float) -> dict:
    errors = {"mpjpe": {"mean": mpjpe}, "pa_mpjpe": {"mean": 33.3}, "depth_median": 3.44, "depth_90": 9.9}
    return {"source": source, "grouping": "view", "part": "back", "count": 7, **errors}


def over_time(output: str, mpjpe: float, group: str = "all") -> dict:
    figures = {"acceleration": 10.04, "lag_ms": 6.6, "coverage": [50.2, 90.4, None]}
    return {"source": "coco", "rate_hz": 30.0, "group": group, "output": output, "mpjpe": {"mean": mpjpe}, **figures}


def test_sources_stand_beside_each_other(report):
    report("evaluation", rows=[held_out("true", 50.6), held_out("human36m", 60.2), held_out("coco", 100.7)])
    assert held_out_table().splitlines()[-1] == (
        "| view: back | 7 | 51, 33 | 60, 33 | 101, 33 | 3.4 (9.9) | 3.4 (9.9) | 3.4 (9.9) |"
    )


def test_people_without_some_keypoints_stand_below_those_who_lack_nothing(report):
    for number, name in enumerate(("evaluation", "missing_face", "missing_face_and_feet")):
        rows = [held_out(source, 50.0 + number) for source in ("true", "human36m", "coco")]
        report(name, rows=[*rows, *({**row, "grouping": "all", "part": "all", "count": number} for row in rows)])
    lines = missing_table().splitlines()[2:]
    assert [line[:30] for line in lines] == [
        "| nothing | 0 | 50, 33 | 50, 33"[:30],
        "| face | 1 | 51, 33 | 51, 33 |"[:30],
        "| face and feet | 2 | 52, 33 |"[:30],
    ]


def test_outputs_stand_beside_each_other_and_other_groups_elsewhere(report):
    rows = [over_time("single images", 80.0), over_time("one-euro", 81.0), over_time("fusion", 79.0)]
    report("fusion", rows=[*rows, over_time("fusion", 1.0, "camera turns")])
    (line,) = fusion_table().splitlines()[2:]
    assert line.startswith("| coco | 30 | 80.0 | 81.0 | 79.0 | 10.0 |")
    assert line.endswith("| 50, 90, - | 50, 90, - |")


def test_regions_are_of_the_images_of_all_frame_rates(report):
    rows = [over_time("fusion", 80.0, group) for group in ("all", "all", "camera turns")]
    held = ([40.0, 88.0, 94.0], [60.0, 92.0, 98.0], [50.4, 90.0, 95.0])
    rates = ((10.0, 300), (30.0, 100), (30.0, 10))
    report(
        "fusion",
        rows=[
            {**row, "coverage": percent, "rate_hz": rate, "images": images}
            for row, percent, (rate, images) in zip(rows, held, rates, strict=True)
        ],
    )
    assert regions_table().splitlines()[2:] == ["| all |  |  | 45, 89, 95 |", "| camera turns |  |  | 50, 90, 95 |"]


def test_forecasts_of_10_and_30_images_a_second(report):
    row = {
        "source": "true",
        "group": "walking",
        "horizon_s": 0.25,
        "joints": [119.4, 143, 119],
        "root": [1.04, 2, 3, 4],
    }
    report("forecasts", forecasts=[{**row, "rate_hz": rate} for rate in (5.0, 10.0, 30.0)])
    lines = forecasts_table().splitlines()[2:]
    assert [line.split(" | ")[1] for line in lines] == ["10", "30"]
    assert lines[0] == "| true | 10 | walking | 0.25 s | 119 | 143 | 119 | 1.0 | 2.0 | 3.0 | 4.0 |"


def test_bars_in_cells_are_no_columns():
    assert markdown(("a",), [("b|c",)]) == "| a |\n| --- |\n| b\\|c |\n"
