"""Settings: frozen dataclasses whose fields carry a doc, a range and whether they may change while running.

A dataclass field made by ``setting`` is the only definition of a setting: TOML files, ROS parameters (with descriptors)
and the tables of the README are read from it. A config dataclass as a field (``field(default_factory=...)``) is a
group; its settings are addressed with dots: "smoothing.beta".
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, get_args, get_origin, get_type_hints

from hmr_ros.core.capsules import PADDING_M

Scalar = bool | int | float | str
Value = Scalar | tuple[Scalar, ...]

_Value = TypeVar("_Value")
_Config = TypeVar("_Config")

ANCHORS = ("detector", "projection")
"""What Global-to-Pixel may be led by."""

_KEY = "hmr_ros.setting"


@dataclass(frozen=True)
class _Constraint:
    """What ``setting`` stores in the field's metadata."""

    doc: str
    low: float | None
    high: float | None
    choices: tuple[Scalar, ...] | None
    read_only: bool


@dataclass(frozen=True)
class Setting:
    """One setting as ``describe`` lists it: ``name`` with dots; ``type`` as in TOML: bool, int, float, str or a list.

    ``low`` and ``high`` are inclusive bounds (of every element of a list); ``choices`` are the only values allowed;
    ``read_only`` settings are fixed once a node runs.
    """

    name: str
    type: str
    default: Value
    doc: str
    low: float | None
    high: float | None
    choices: tuple[Scalar, ...] | None
    read_only: bool

    @property
    def allowed(self) -> str:
        """The range in words, "" when anything of the type will do."""
        if self.choices is not None:
            return ", ".join(str(c) or '""' for c in self.choices)
        if self.low is None and self.high is None:
            return ""
        low, high = ("" if bound is None else f"{bound:g}" for bound in (self.low, self.high))
        return f"{low} to {high}" if low and high else f"at least {low}" if low else f"at most {high}"


def setting(
    default: _Value,
    *,
    doc: str,
    low: float | None = None,
    high: float | None = None,
    choices: Sequence[Scalar] | None = None,
    read_only: bool = False,
) -> _Value:
    """A dataclass field with its documentation and inclusive range.

    The default has the type of the field, so that ``max_persons: int = setting(8, doc="...", low=1)`` checks as one.
    """
    constraint = _Constraint(doc, low, high, None if choices is None else tuple(choices), read_only)
    return field(default=default, metadata={_KEY: constraint})


def validate(config: object) -> None:
    """Raise ValueError naming the first setting of ``config`` that has a wrong type or lies out of range."""
    for s in describe(type(config)):
        _check(s, _get(config, s.name))


def describe(cls: type) -> list[Setting]:
    """Every setting of a config dataclass, groups flattened, in the order of definition."""
    return list(_settings(cls, ""))


def updated(config: _Config, values: Mapping[str, Value]) -> _Config:
    """``config`` with the settings named by dotted keys replaced, and validated.

    Integers become floats and lists become tuples where the field asks for them. Raises ValueError for unknown names
    (with the nearest known one), wrong types and values out of range; ``config`` itself never changes.
    """
    known = {s.name: s for s in describe(type(config))}
    for name, value in values.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            raise ValueError(f"unknown setting {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        config = _replaced(config, name.split("."), _coerced(value, known[name].type))
    validate(config)
    return config


def from_mapping(values: Mapping[str, object], cls: type[_Config]) -> _Config:
    """The config dataclass ``cls`` with ``values``, nested as its groups are (what ``dataclasses.asdict`` gives)."""
    return updated(cls(), dict(_flattened(values, "")))


def load_toml(path: Path, cls: type[_Config]) -> _Config:
    """The config dataclass ``cls`` with the values of a TOML file; tables are groups. Errors name the file."""
    try:
        return from_mapping(tomllib.loads(path.read_text(encoding="utf-8")), cls)
    except FileNotFoundError as err:
        raise ValueError(f"{path}: no such settings file") from err
    except ValueError as err:  # also TOMLDecodeError
        raise ValueError(f"{path}: {err}") from err


@dataclass(frozen=True)
class DetectorConfig:
    """How people are found."""

    size: str = setting(
        "640x352",
        doc="input of the person detector in px; larger finds people farther away and costs proportionally more",
        choices=("416x224", "640x352", "1280x704"),
        read_only=True,
    )
    period: int = setting(
        5, doc="search the whole image every so many frames; tracked people are followed in all", low=1
    )


@dataclass(frozen=True)
class SmoothingConfig:
    """One-euro filter of each body: smooth when still, quick when moving (Casiez et al., CHI 2012)."""

    min_cutoff: float = setting(1.5, doc="cut-off frequency at rest in Hz; 0 switches smoothing off", low=0, high=100)
    beta: float = setting(3.0, doc="rise of the cut-off in Hz per m/s (positions) or rad/s (joints)", low=0, high=10)


@dataclass(frozen=True)
class HumansConfig:
    """People as ROS4HRI knows them (REP-155)."""

    enabled: bool = setting(True, doc="publish ROS4HRI's topics, where hri_msgs is installed", read_only=True)
    namespace: str = setting("/humans", doc="where they are published; ROS4HRI's tools expect /humans", read_only=True)
    clamp_joint_limits: bool = setting(False, doc="keep joint angles within the limits of the URDF")

    def __post_init__(self) -> None:
        if not re.fullmatch(r"/?[A-Za-z]\w*(/[A-Za-z]\w*)*", self.namespace):
            raise ValueError(f"humans.namespace: expected a name such as /humans, got {self.namespace!r}")


@dataclass(frozen=True)
class PlanningConfig:
    """People as obstacles of planners (docs/planning.md)."""

    frame: str = setting(
        "",
        doc="fixed frame of collision objects and people, such as odom; empty: the camera's, if that stands still",
        read_only=True,
    )
    tf_timeout_s: float = setting(0.05, doc="longest wait for the transform at the image's stamp", low=0, high=1)
    collision_objects: bool = setting(
        False, doc="publish people as CollisionObjects for MoveIt, where moveit_msgs is installed", read_only=True
    )
    padding_m: float = setting(PADDING_M, doc="how much thicker than the body collision objects are", low=0, high=0.5)
    rate_hz: float = setting(10.0, doc="most updates of a collision object per second", low=0.1, high=60)
    refresh_s: float = setting(
        5.0, doc="collision objects are added anew so often, for a planner that lost them; 0: never", low=0, high=60
    )
    mesh_points: int = setting(500, doc="points of each body in mesh_points", low=50, high=6890, read_only=True)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"([A-Za-z]\w*(/[A-Za-z]\w*)*)?", self.frame):
            raise ValueError(f"planning.frame: expected a frame such as odom, without a leading /, got {self.frame!r}")


@dataclass(frozen=True)
class RobotConfig:
    """Every parameter of the node."""

    backend: str = setting(
        "auto",
        doc="what runs the networks; auto takes the fastest that works",
        choices=("auto", "tensorrt", "tensorrt_rtx", "onnxruntime", "onnxruntime:cuda", "onnxruntime:tensorrt"),
        read_only=True,
    )
    engine_cache: str = setting(
        "", doc="folder of TensorRT engines; empty: ~/.cache/hmr_ros/engines (XDG_CACHE_HOME)", read_only=True
    )
    serve_while_building: bool = setting(
        True,
        doc="run on the CPU while TensorRT builds, then switch; false: configuring takes until engines are built",
        read_only=True,
    )
    model: str = setting(
        "pose2mesh",
        doc="how bodies are recovered; both: by global_to_pixel, and pose2mesh says how far it disagrees",
        choices=("pose2mesh", "global_to_pixel", "both"),
        read_only=True,
    )
    model_path: str = setting("", doc="manifest (.json) of the network; empty: the shipped one", read_only=True)
    smpl_path: str = setting("", doc="body model (.npz, SMPL schema); empty: the shipped open body", read_only=True)
    num_threads: int = setting(
        0, doc="CPU threads of the networks; 0: as many as there are cores", low=0, high=256, read_only=True
    )
    max_persons: int = setting(8, doc="most people followed at once", low=1, high=32)
    detection_threshold: float = setting(0.5, doc="least score of a person", low=0.05, high=0.95)
    min_keypoints: int = setting(6, doc="fewest seen keypoints that are lifted to a body", low=6, high=18)
    keypoint_threshold: float = setting(0.3, doc="least score of a seen keypoint", low=0, high=1)
    anchors: str = setting(
        "detector",
        doc="where global_to_pixel looks closely: at the detector's keypoints, or where it expects joints itself",
        choices=ANCHORS,
    )
    max_disagreement_m: float = setting(
        0.15, doc="mean distance of two methods' joints above which diagnostics warn (model: both)", low=0.01, high=10
    )
    max_rate_hz: float = setting(0.0, doc="most images processed per second; 0: no limit", low=0, high=240)
    max_frame_age_s: float = setting(0.5, doc="older images are dropped; 0: none are", low=0, high=10)
    input_timeout_s: float = setting(1.0, doc="silence of a topic before it is reported", low=0.05, high=60)
    track_timeout_s: float = setting(0.5, doc="a person unseen for so long gets a new id", low=0.05, high=60)
    image_transport: str = setting(
        "raw", doc="subscribe image or image/compressed", choices=("raw", "compressed"), read_only=True
    )
    rectified: str = setting(
        "auto",
        doc="take the image as rectified (P) or as the lens gave it (K, D)? auto: rectified when named image_rect*",
        choices=("auto", "always", "never"),
        read_only=True,
    )
    publish_tf: str = setting(
        "skeleton",
        doc="TF frames: nothing, body_<id>, or that and all links of the person's URDF",
        choices=("none", "root", "skeleton"),
    )
    publish_markers: bool = setting(True, doc="publish skeletons for RViz")
    autostart: bool = setting(True, doc="configure and activate at start, without a lifecycle manager", read_only=True)
    detector: DetectorConfig = field(default_factory=DetectorConfig)
    smoothing: SmoothingConfig = field(default_factory=SmoothingConfig)
    humans: HumansConfig = field(default_factory=HumansConfig)
    planning: PlanningConfig = field(default_factory=PlanningConfig)

    def __post_init__(self) -> None:
        validate(self)


def _settings(cls: type, prefix: str) -> Iterator[Setting]:
    hints = get_type_hints(cls)
    for f in dataclasses.fields(cls):
        kind = hints[f.name]
        if dataclasses.is_dataclass(kind):
            assert isinstance(kind, type)
            yield from _settings(kind, f"{prefix}{f.name}.")
        elif isinstance(c := f.metadata.get(_KEY), _Constraint):
            assert f.default is not dataclasses.MISSING  # setting() always has one
            yield Setting(prefix + f.name, _type_name(kind), f.default, c.doc, c.low, c.high, c.choices, c.read_only)
        else:
            raise TypeError(f"{cls.__name__}.{f.name} is neither a setting nor a group")


def _type_name(kind: object) -> str:
    """Give "int", or "list of int" for ``tuple[int, ...]``."""
    if get_origin(kind) is tuple:
        return f"list of {_type_name(get_args(kind)[0])}"
    if kind in (bool, int, float, str):
        assert isinstance(kind, type)
        return kind.__name__
    raise TypeError(f"a setting is a bool, int, float, str or a tuple of these, got {kind}")


def _get(config: object, name: str) -> Value:
    for part in name.split("."):
        config = getattr(config, part)
    return config  # type: ignore[return-value]  # the type was checked by describe


def _replaced(config: _Config, path: Sequence[str], value: Value) -> _Config:
    name, *rest = path
    inner = _replaced(getattr(config, name), rest, value) if rest else value
    return dataclasses.replace(config, **{name: inner})  # type: ignore[type-var]


def _coerced(value: Value, kind: str) -> Value:
    if kind.startswith("list of ") and isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(_coerced(v, kind.removeprefix("list of ")) for v in value)  # type: ignore[misc]
    if kind == "float" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def _check(s: Setting, value: Value) -> None:
    elements = value if isinstance(value, tuple) else (value,)
    kind = s.type.removeprefix("list of ")
    if isinstance(value, tuple) != s.type.startswith("list") or any(type(e).__name__ != kind for e in elements):
        raise ValueError(f"{s.name}: expected {s.type}, got {value!r}")
    if not all(_is_allowed(s, e) for e in elements):
        raise ValueError(f"{s.name}: expected {s.allowed}, got {value!r}")


def _is_allowed(s: Setting, element: Scalar) -> bool:
    if s.choices is not None and element not in s.choices:
        return False
    if isinstance(element, str):
        return True
    return (s.low is None or element >= s.low) and (s.high is None or element <= s.high)


def _flattened(table: Mapping[str, object], prefix: str) -> Iterator[tuple[str, Value]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value  # type: ignore[misc]  # TOML values; _check looks at them
