# SPDX-License-Identifier: Apache-2.0
import pytest

from hmr_ros.core.config import EngineSettings, NodeSettings, PerceptionSettings, PipelineSettings, RobotConfig
from hmr_ros.core.settings import describe, updated, validate
from hmr_ros.tools.readme_tables import PARAMETERS_FILE, parameters_file


def test_the_robots_defaults_are_valid_and_documented():
    validate(RobotConfig())
    assert all(s.doc for s in describe(RobotConfig))
    with pytest.raises(ValueError, match="max_people: expected 1 to 32"):
        RobotConfig(max_people=0)


def test_the_nodes_parameters_are_those_of_its_parts_each_once():
    engines, perception, node = (
        {s.name for s in describe(part)} for part in (EngineSettings, PerceptionSettings, NodeSettings)
    )
    assert {s.name for s in describe(PipelineSettings)} == engines | perception
    names = [s.name for s in describe(RobotConfig)]
    assert set(names) == engines | perception | node
    assert len(names) == len(engines) + len(perception) + len(node)


@pytest.mark.parametrize(
    ("part", "wrong"),
    [
        (EngineSettings, {"backend": "tensorflow"}),
        (PerceptionSettings, {"model": "openpose"}),
        (PipelineSettings, {"num_threads": -1}),
        (PipelineSettings, {"max_people": 0}),
        (NodeSettings, {"max_rate_hz": -1.0}),
        (NodeSettings, {"target_frame": "/odom"}),
        (RobotConfig, {"precision": "int8"}),
        (RobotConfig, {"target_frame": "/odom"}),
    ],
)
def test_every_part_refuses_wrong_values_by_name(part, wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=f"{name}: expected"):
        part(**wrong)


def test_a_body_has_as_many_points_as_may_be_asked_for(body):
    points = next(s for s in describe(RobotConfig) if s.name == "planning.mesh_points")
    assert points.high == len(body.v_template)


def test_the_params_file_is_current():
    """Its defaults, ranges and what changes live are those that users read and the node declares."""
    assert PARAMETERS_FILE.read_text() == parameters_file(), "run python -m hmr_ros.tools.readme_tables"


@pytest.mark.parametrize("name", ["target_frame", "planning.frame"])
def test_frames_have_no_leading_slash(name):
    with pytest.raises(ValueError, match=f"{name}: expected"):
        updated(RobotConfig(), {name: "/odom"})
    assert updated(RobotConfig(), {name: "odom"})


def test_no_choice_is_a_truth_value_on_a_ros_command_line():
    """``ros2 run ... -p ground:=off`` is a boolean there (YAML 1.1), and no string."""
    words = {"y", "yes", "true", "on", "n", "no", "false", "off", "null", "~"}
    choices = {str(choice).lower() for setting in describe(RobotConfig) for choice in setting.choices or ()}
    assert not choices & words
