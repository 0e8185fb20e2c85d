# SPDX-License-Identifier: Apache-2.0
"""config/foxglove.json against the rules of Foxglove's layout files, and against the topics that there are.

A layout file has the configuration of each panel under TYPE!NAME and a tree that says where each of them is; the names
of settings are those of the layout classes of foxglove-sdk, where that is installed.
"""

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

CONFIG = Path(__file__).parents[1] / "config"
LAYOUT = json.loads((CONFIG / "foxglove.json").read_text())
PANELS = LAYOUT["configById"]

CLASSES = {
    "3D": "ThreeDeeConfig",
    "Image": "ImageConfig",
    "Plot": "PlotConfig",
    "DiagnosticSummary": "DiagnosticsSummaryConfig",
    "RawMessages": "RawMessagesConfig",
}
"""Type of a panel -> its class in foxglove.layouts."""

OF_EVERY_PANEL = {"foxglovePanelTitle"}


def node_topics():
    """What the node publishes and the camera's topics: those of the policy that is compared with the running graph."""
    profile = ET.parse(CONFIG / "sros2/policy.xml").find(".//profile[@node='hmr']")
    names = {topic.text for topics in profile.findall("topics") for topic in topics.findall("topic")}
    return {"/" + name.lstrip("/") for name in names}


def named_topics(value, key=""):
    """Every topic in the configuration of a panel: settings whose names end in Topic or Path, and keys of topics."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if key == "topics":
                yield name
            yield from named_topics(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from named_topics(inner, key)
    elif value and (key.endswith("Topic") or key in ("topicPath", "topicToRender", "value")):
        yield re.match(r"[^.\[]*", value)[0]


def leaves(node):
    """The panels in a tree of splits, and in the tabs of it."""
    if isinstance(node, str):
        yield node
        for tab in PANELS[node].get("tabs", ()):
            yield from leaves(tab["layout"])
        return
    assert set(node) <= {"direction", "first", "second", "splitPercentage"}, node
    assert node["direction"] in ("row", "column")
    assert 0 < node.get("splitPercentage", 50) < 100
    yield from leaves(node["first"])
    yield from leaves(node["second"])


def test_the_file_has_the_parts_of_a_layout():
    assert set(LAYOUT) == {"configById", "globalVariables", "userNodes", "playbackConfig", "layout"}
    assert all(re.fullmatch(r"\w+!\w+", name) for name in PANELS)


def test_every_panel_is_in_the_layout_once():
    assert sorted(leaves(LAYOUT["layout"])) == sorted(PANELS)


def test_every_topic_is_one_of_the_node_or_of_its_camera():
    named = {topic for panel in PANELS.values() for topic in named_topics(panel)}
    assert named - node_topics() == set()
    assert {"/bodies", "/mesh", "/markers", "/overlay", "/diagnostics", "/image/compressed", "/camera_info"} <= named


def test_message_paths_are_fields_of_the_messages():
    array, body = ((CONFIG.parent / f"msg/{name}.msg").read_text() for name in ("SmplBodyArray", "SmplBody"))
    for path in re.findall(r'"(/bodies\.[^"]+)"', json.dumps(PANELS)):
        _, of_array, of_body, *_ = path.split(".")
        assert re.search(rf"^SmplBody\[\] {of_array.removesuffix('[:]')}$", array, re.MULTILINE), path
        assert re.search(rf"^\S+ {of_body}\b", body, re.MULTILINE), path


@pytest.mark.parametrize("name", [name for name in PANELS if not name.startswith("Tab!")])
def test_settings_are_those_of_foxglove(name):
    layouts = pytest.importorskip("foxglove.layouts")
    known = set(getattr(layouts, CLASSES[name.partition("!")[0]])()._to_dict())
    assert set(PANELS[name]) - known - OF_EVERY_PANEL == set()


def test_settings_of_parts_are_those_of_foxglove():
    layouts = pytest.importorskip("foxglove.layouts")
    space = PANELS["3D!people"]
    parts = [
        (space["cameraState"], layouts.ThreeDeeCameraState()),
        (space["scene"], layouts.BaseRendererSceneSettings()),
        (space["scene"]["transforms"], layouts.BaseRendererTransforms()),
        (space["topics"]["/mesh"], layouts.BaseRendererRosMarkerTopicSettings()),
        (space["topics"]["/camera_info"], layouts.BaseRendererCameraTopicSettings()),
    ]
    for panel in PANELS.values():
        parts += [(panel.get("imageMode", {}), layouts.ImageModeConfig())]
        parts += [(path, layouts.PlotSeries(value="")) for path in panel.get("paths", ())]
    for part, rules in parts:
        assert set(part) - set(rules._to_dict()) == set()
