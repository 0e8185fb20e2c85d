from contextlib import closing

import pytest
from rclpy.node import Node
from rclpy.parameter import Parameter

from hmr_ros.core.config import RobotConfig
from hmr_ros.core.settings import describe
from hmr_ros.ros.params import ParameterError, declare_config, descriptor, follow_config


class Host(Node):
    def __init__(self, **overrides):
        parameters = [Parameter(name.replace("__", "."), value=value) for name, value in overrides.items()]
        super().__init__("host", parameter_overrides=parameters)

    def close(self):
        self.destroy_node()


def test_every_setting_is_a_parameter_with_its_description_and_range():
    with closing(Host()) as node:
        assert declare_config(node) == RobotConfig()
        for setting in describe(RobotConfig):
            declared = node.describe_parameter(setting.name)
            assert declared.description == setting.doc
            assert declared.read_only == setting.read_only
            if setting.low is not None and setting.high is not None:
                (bounds,) = [*declared.integer_range, *declared.floating_point_range]
                assert (bounds.from_value, bounds.to_value) == (setting.low, setting.high)


def test_values_given_at_start_are_read():
    with closing(Host(max_persons=3, smoothing__beta=0.5)) as node:
        config = declare_config(node)
        assert (config.max_persons, config.smoothing.beta) == (3, 0.5)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"max_persons": 0}, "max_persons.*1 to 32"),
        ({"max_persons": "many"}, "max_persons.*int"),
        ({"input_timeout_s": float("nan")}, "input_timeout_s"),
        ({"image_transport": "theora"}, "image_transport.*raw, compressed"),
    ],
)
def test_bad_values_at_start_are_named(overrides, words):
    with closing(Host(**overrides)) as node, pytest.raises((ParameterError, ValueError), match=words):
        declare_config(node)


def test_settings_follow_the_parameters_and_bad_ones_are_refused_with_a_reason():
    with closing(Host()) as node:
        applied = []
        follow_config(node, declare_config(node), applied.append)

        assert node.set_parameters([Parameter("max_frame_age_s", value=0.25)])[0].successful
        assert applied[-1].max_frame_age_s == 0.25
        for name, value in (("max_frame_age_s", 11.0), ("publish_tf", "all"), ("image_transport", "compressed")):
            result = node.set_parameters([Parameter(name, value=value)])[0]
            assert not result.successful
            assert result.reason
        assert len(applied) == 1
        assert node.get_parameter("max_frame_age_s").value == 0.25


def test_descriptor_of_an_open_range():
    (setting,) = [s for s in describe(RobotConfig) if s.name == "detector.period"]
    (bounds,) = descriptor(setting).integer_range
    assert (bounds.from_value, bounds.to_value) == (1, 2**63 - 1)
