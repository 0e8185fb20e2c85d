# SPDX-License-Identifier: Apache-2.0
import dataclasses
import sys
from contextlib import closing

import pytest
from rcl_interfaces.srv import SetParameters
from rclpy.node import Node
from rclpy.parameter import Parameter

from hmr_ros.core.config import RobotConfig
from hmr_ros.core.settings import describe
from hmr_ros.ros.node.node import HmrNode
from hmr_ros.ros.node.params import declare_config, descriptor, follow_config, type_problem
from hmr_ros.ros.wire.qos import ParameterError
from test.ros.graph import spin_until


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
    with closing(Host(max_people=3, smoothing__beta=0.5)) as node:
        config = declare_config(node)
        assert (config.max_people, config.smoothing.beta) == (3, 0.5)


def test_whole_numbers_will_do_for_floats_at_start():
    with closing(Host(max_latency_ms=100, planning__rate_hz=5)) as node:
        config = declare_config(node)
        assert (config.max_latency_ms, config.planning.rate_hz) == (100.0, 5.0)
        assert type(node.get_parameter("max_latency_ms").value) is float
        assert node.describe_parameter("planning.rate_hz").floating_point_range[0].to_value == 60


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"planning__rate_hz": 61}, "planning.rate_hz.*0.1 to 60"),
        ({"planning__rate_hz": "5"}, "planning.rate_hz.*float"),
        ({"planning__rate_hz": True}, "planning.rate_hz.*float"),
        ({"max_people": 3.0}, "max_people.*int"),
        ({"max_people": 0}, "max_people.*1 to 32"),
        ({"max_people": "many"}, "max_people.*int"),
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


SETTINGS = describe(RobotConfig)
WRONG_TYPES = {"bool": 1, "int": "many", "float": "fast", "str": 1}
DIFFERENT = {"bool": False, "int": 7, "float": 0.25, "str": "other"}


def bad_values(setting):
    """Values of the wrong type, below, above, beyond the choices, not a number."""
    yield WRONG_TYPES[setting.type]
    if setting.type in ("int", "float"):
        step = 1 if setting.type == "int" else 0.01
        yield from [] if setting.low is None else [type(setting.default)(setting.low) - step]
        yield from [] if setting.high is None else [type(setting.default)(setting.high) + step]
        yield True
    if setting.type == "float":
        yield from (float("nan"), float("inf"), -float("inf"))
    if setting.choices is not None:
        yield "neither of them"


@pytest.fixture(scope="module")
def hmr():
    node = HmrNode(lambda config: None)
    yield node
    node.destroy_node()


def assert_refused(node, name, value):
    before = node.get_parameter(name).value
    result = node.set_parameters_atomically([Parameter(name, value=value)])
    assert not result.successful, (name, value)
    assert name in result.reason
    assert node.get_parameter(name).value == before
    assert node.config == RobotConfig()


@pytest.mark.parametrize("setting", [s for s in SETTINGS if not s.read_only], ids=lambda s: s.name)
def test_whatever_is_wrong_is_refused_by_name_and_changes_nothing(hmr, setting):
    for value in bad_values(setting):
        assert_refused(hmr, setting.name, value)


@pytest.mark.parametrize("setting", [s for s in SETTINGS if s.read_only], ids=lambda s: s.name)
def test_what_is_fixed_stays(hmr, setting):
    for value in (setting.default, DIFFERENT[setting.type], *bad_values(setting)):
        assert_refused(hmr, setting.name, value)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: s.name)
def test_whatever_is_wrong_at_start_is_named(setting):
    for value in bad_values(setting):
        if setting.type == "float" and value is True:
            continue
        with closing(Host(**{setting.name: value})) as node, pytest.raises(ParameterError, match=setting.name):
            declare_config(node)


def test_ranges_have_no_steps(hmr):
    for setting in SETTINGS:
        described = hmr.describe_parameter(setting.name)
        for bounds in (*described.integer_range, *described.floating_point_range):
            assert bounds.step == 0
            assert bounds.from_value < bounds.to_value


def test_several_are_set_together_or_not_at_all(executor):
    node = HmrNode(lambda config: None)
    executor.add_node(node)
    several = [Parameter("max_people", value=3), Parameter("smoothing.beta", value=2)]  # a whole number will do
    bad = node.set_parameters_atomically([*several, Parameter("publish_tf", value="all")])
    assert not bad.successful
    assert "publish_tf" in bad.reason
    assert node.config == RobotConfig()
    assert node.set_parameters_atomically(several).successful
    assert (node.config.max_people, node.config.smoothing.beta) == (3, 2.0)
    assert node.get_parameter("smoothing.beta").value == 2.0


def test_a_client_reads_why_it_was_refused(executor):
    executor.add_node(HmrNode(lambda config: None))
    peer = Node("peer")
    executor.add_node(peer)
    client = peer.create_client(SetParameters, "/hmr/set_parameters")
    spin_until(executor, client.service_is_ready)
    wanted = [Parameter("max_people", value="many"), Parameter("max_rate_hz", value=10), Parameter("model", value="x")]
    answer = client.call_async(SetParameters.Request(parameters=[p.to_parameter_msg() for p in wanted]))
    spin_until(executor, answer.done)
    wrong, right, fixed = answer.result().results
    assert wrong.reason == "max_people: expected int, 1 to 32, got 'many'"
    assert right.successful
    assert "read-only" in fixed.reason


def test_descriptor_of_an_open_range():
    (setting,) = [s for s in describe(RobotConfig) if s.name == "detector.period"]
    (bounds,) = descriptor(setting).integer_range
    assert (bounds.from_value, bounds.to_value) == (1, 2**63 - 1)


@pytest.mark.parametrize(("low", "high"), [(None, 5.0), (-2.0, None), (-2.0, 5.0)])
@pytest.mark.parametrize("kind", ["int", "float"])
def test_descriptor_of_every_range(kind, low, high):
    setting = dataclasses.replace(SETTINGS[0], type=kind, low=low, high=high, choices=None, doc="why", read_only=True)
    made = descriptor(setting)
    open_end = 2**63 - 1 if kind == "int" else sys.float_info.max
    (bounds,) = made.integer_range if kind == "int" else made.floating_point_range
    assert (bounds.from_value, bounds.to_value) == (-open_end if low is None else -2, open_end if high is None else 5)
    assert len(made.integer_range) + len(made.floating_point_range) == 1
    assert (made.description, made.read_only, made.additional_constraints) == ("why", True, setting.allowed)


def test_words_have_no_range_but_their_choices():
    setting = dataclasses.replace(SETTINGS[0], type="str", low=None, high=None, choices=("a", "b"))
    made = descriptor(setting)
    assert len(made.integer_range) + len(made.floating_point_range) == 0
    assert made.additional_constraints == "a, b"


def test_parameters_of_others_may_have_any_type():
    parameters = [Parameter("use_sim_time", value=True), Parameter("elsewhere", value="many")]
    assert type_problem(parameters) == ""
    problem = type_problem([*parameters, Parameter("max_rate_hz", value=5), Parameter("max_people", value=1.0)])
    assert problem == "max_people: expected int, 1 to 32, got 1.0"


def test_later_values_are_added_to_earlier_ones():
    with closing(Host()) as node:
        applied = []
        follow_config(node, declare_config(node), applied.append)
        node.declare_parameter("elsewhere", 1)
        node.set_parameters([Parameter("max_people", value=3)])
        assert applied[-1] == RobotConfig(max_people=3)
        node.set_parameters([Parameter("max_rate_hz", value=7), Parameter("elsewhere", value=2)])
        assert applied[-1] == RobotConfig(max_people=3, max_rate_hz=7.0)
        assert type(node.get_parameter("max_rate_hz").value) is float
        assert node.get_parameter("elsewhere").value == 2


def test_a_default_is_told_with_a_bad_value():
    with closing(Host(max_people="many")) as node, pytest.raises(ParameterError) as caught:
        declare_config(node)
    expected = f"parameter 'max_people': expected int, 1 to 32 (default {RobotConfig().max_people}): "
    assert str(caught.value).startswith(expected)
