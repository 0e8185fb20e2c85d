# SPDX-License-Identifier: Apache-2.0
"""The copies of other packages' messages under test/interfaces are the real thing, field for field."""

import json
import os
from pathlib import Path

import pytest

PUBLISHED = {
    "hri_msgs/msg/Gesture": "fbf9f3c4cb8a64e63a1cf819affbb09a32915da45d4786c701eed225193b7f4a",
    "hri_msgs/msg/IdsList": "7e0812d1ac945c98fd3e393568d581ad0ab567f37b24eff633eab778c1bfe62d",
    "hri_msgs/msg/NormalizedRegionOfInterest2D": "2e50c93f1ca166ee77af9a5424dc951ae4e452b740162a7f83c082d917dcaff5",
    "hri_msgs/msg/Skeleton2D": "1cb61f012db6ca43c48fa0097ccab9a00108ea39323c13f01bb983323c1e3420",
    "moveit_msgs/msg/CollisionObject": "74b0acd6d56be032bf4f764b2c2633f50588b5fb2bd71e97206c59052747cf7e",
    "moveit_msgs/msg/PlanningScene": "0f58540ad5eab4b9ea827d53b763c793d8cabd202b3b301fcee25afa4ce1bd80",
    "people_msgs/msg/People": "9ea98a5e58f833a9532957bca23a6b8006a12885d5a16c8ca41dd901d10c33b6",
    "tf2_msgs/msg/TFMessage": "e369d0f05a23ae52508854b66f6aa0437f3449d652e8cbf22d5abe85d020f087",
    "vision_msgs/msg/Detection2DArray": "214274120007f4a683866481336b70310268cfa107aebe9d594a6acf75bda968",
    "vision_msgs/msg/Detection3DArray": "793f5eab9595ac1c0da07873cc859db42eae51f0ee76056db8562515d830e018",
}
"""Type hashes (REP-2016), by which DDS and bags know a type; they cover every type nested in these.

Those of moveit_msgs, tf2_msgs and vision_msgs are found in public workspaces of Jazzy and later; those of hri_msgs
(humble-devel, 2.3) and people_msgs (ros2, 1.3) were made from the .msg files of these branches.
"""


@pytest.mark.parametrize("type_name", PUBLISHED)
def test_our_copy_has_the_published_type_hash(type_name: str):
    package, _, message = type_name.split("/")
    prefixes = [Path(prefix) for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(":")]
    found = [path for prefix in prefixes if (path := prefix / f"share/{package}/msg/{message}.json").is_file()]
    if not found:
        pytest.skip(f"needs {package}: make test")
    hashes = {entry["type_name"]: entry["hash_string"] for entry in json.loads(found[0].read_text())["type_hashes"]}
    assert hashes[type_name] == f"RIHS01_{PUBLISHED[type_name]}"
