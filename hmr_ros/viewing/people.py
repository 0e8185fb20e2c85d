# SPDX-License-Identifier: Apache-2.0
"""One person of a scene: mesh, skeleton, label, uncertainty, joint angles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import rerun as rr

from hmr_ros.core.arrays import Floats, Int64s
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.body.decimation import coarse_faces
from hmr_ros.core.geometry.rotation import rotmat_to_quat
from hmr_ros.core.people import Bodies, State
from hmr_ros.core.ros4hri.joints import REVOLUTE_JOINTS
from hmr_ros.core.skeleton import MANO, SMPL
from hmr_ros.perception.overlay import Color, person_color
from hmr_ros.perception.raster import vertex_normals
from hmr_ros.results.snapshot import Radii

PEOPLE, ANGLES, STATES = "world/camera/people", "angles", "states"
"""Where Rerun has the people, in the frame of the camera, their joint angles, and their states."""

JOINT_UNCERTAINTY = "world/camera/joint_uncertainty"
"""Apart from the people, as 24 ellipsoids hide the body: hidden until they are asked for."""

ANGLE_GROUPS = {
    "knees": ("l_knee", "r_knee"),
    "elbows": ("l_elbow", "r_elbow"),
    "shoulders": ("l_y_shoulder", "l_p_shoulder", "l_r_shoulder", "r_y_shoulder", "r_p_shoulder", "r_r_shoulder"),
    "hips": ("l_y_hip", "l_p_hip", "l_r_hip", "r_y_hip", "r_p_hip", "r_r_hip"),
    "trunk": ("waist", "r_head", "y_head", "p_head"),
}
"""The 20 revolute joints of ROS4HRI by panel."""

_ANGLES = {
    name: (group, REVOLUTE_JOINTS[row].name, row)
    for group, names in ANGLE_GROUPS.items()
    for name in names
    for row in range(len(REVOLUTE_JOINTS))
    if REVOLUTE_JOINTS[row].name == name
}
GONE = "gone"
"""In the panel of states: of people who are not in the image."""

_STATE_COLORS = {State.TRACKED.name: (67, 160, 71), State.COASTING.name: (245, 124, 0), GONE: (110, 110, 110)}
_HEAD = SMPL.index("head")
_LABEL_ABOVE_M = 0.7
_BONE_RADIUS_M, _LABEL_RADIUS_M = 0.008, 0.01
_COASTING_COLOR = 0.45
"""Fraction of their colour that people keep who are not seen in the image."""

_RIGHT_COLOR = 0.6
"""Fraction of their colour that curves of the right side have."""

_GAMMA, _LUMINANCE = 2.2, (0.2126, 0.7152, 0.0722)
_LABEL_LUMINANCE = 0.27
"""Between those of the labels' background in Rerun's light and dark look: legible on both."""


@dataclass(frozen=True, eq=False)
class Surface:
    """The triangles that are shown of each body: ``vertices`` (N,) of those of the body model, ``faces`` (F, 3)."""

    vertices: Int64s
    faces: Int64s

    @staticmethod
    def of(body_model: BodyModel, count: int) -> Surface:
        """At most ``count`` triangles."""
        faces = coarse_faces(body_model.v_template, body_model.faces, count)
        vertices, corners = np.unique(faces, return_inverse=True)
        return Surface(vertices, corners.reshape(-1, 3))


@dataclass(frozen=True, eq=False)
class Look:
    """The person in ``row`` of ``bodies``, called ``name``."""

    bodies: Bodies
    row: int
    name: str

    @property
    def path(self) -> str:
        """Where Rerun has this person."""
        return f"{PEOPLE}/{self.name}"

    @property
    def state(self) -> State:
        """Of the track."""
        return State(int(self.bodies.states[self.row]))

    @property
    def color(self) -> tuple[int, int, int]:
        """RGB 0..255, as in the overlay; darker while coasting."""
        strength = _COASTING_COLOR if self.state == State.COASTING else 1.0
        return _rgb(person_color(int(self.bodies.ids[self.row])), strength)


def log_shape(recording: rr.RecordingStream, name: str, track_id: int, surface: Surface) -> None:
    """What does not change of a person: the triangles, and names and colours of curves and states."""
    faces = rr.Mesh3D.from_fields(triangle_indices=surface.faces.astype(np.uint32))
    recording.log(f"{PEOPLE}/{name}/mesh", faces, static=True)
    for group, joint, _ in _ANGLES.values():
        color = _rgb(person_color(track_id), _RIGHT_COLOR if _is_right(group, joint) else 1.0)
        curve = rr.SeriesLines(names=f"{name} {joint}", colors=[color], widths=1.5)
        recording.log(f"{ANGLES}/{group}/{joint}/{name}", curve, static=True)
    states = rr.StateConfiguration(values=list(_STATE_COLORS), colors=np.array([*_STATE_COLORS.values()], np.uint8))
    recording.log(f"{STATES}/{name}", states, static=True)


def log_person(recording: rr.RecordingStream, look: Look, surface: Surface, radii: Radii) -> None:
    """The person at the time that is set: mesh, skeleton, label and uncertainty, in the optical frame."""
    vertices = look.bodies.vertices[look.row][surface.vertices].astype(np.float32)
    mesh = rr.Mesh3D.from_fields(
        vertex_positions=vertices, vertex_normals=vertex_normals(vertices, surface.faces), albedo_factor=look.color
    )
    joints = look.bodies.joints[look.row]
    bones = rr.LineStrips3D(_bones(look), radii=_BONE_RADIUS_M, colors=look.color)
    recording.log(f"{look.path}/mesh", mesh)
    recording.log(f"{look.path}/skeleton", bones)
    recording.log(f"{look.path}/label", _label(look, joints[_HEAD]))
    recording.log(
        f"{look.path}/uncertainty",
        _ellipsoids(
            look.bodies.cam_t[look.row][None], look.bodies.root_covariance[look.row][None], radii.root, look.color
        ),
    )
    recording.log(
        f"{JOINT_UNCERTAINTY}/{look.name}",
        _ellipsoids(joints, look.bodies.joint_covariance[look.row], radii.joint, look.color),
    )


def _bones(look: Look) -> Floats:
    """(N, 2, 3) m, of the body, and of hands that are known."""
    body: Floats = look.bodies.joints[look.row][SMPL.edge_indices]
    hands = look.bodies.hands
    if hands is None:
        return body
    fingers = hands.joints[look.row][hands.known[look.row]][:, MANO.edge_indices].reshape(-1, 2, 3)
    return np.concatenate([body, fingers[np.isfinite(fingers).all((1, 2))]])


def log_angles(recording: rr.RecordingStream, name: str, angles: Floats) -> None:
    """The joint ``angles`` (20,) rad of REVOLUTE_JOINTS as curves in degrees."""
    for group, joint, row in _ANGLES.values():
        recording.log(f"{ANGLES}/{group}/{joint}/{name}", rr.Scalars(float(np.rad2deg(angles[row]))))


def clear_angles(recording: rr.RecordingStream, name: str) -> None:
    """End the curves of a person who is gone; they go on where the person comes again."""
    for group, joint, _ in _ANGLES.values():
        recording.log(f"{ANGLES}/{group}/{joint}/{name}", rr.Clear(recursive=False))


def _label(look: Look, head: Floats) -> rr.Points3D:
    """Id and distance above the head, and the state of those who are not seen."""
    distance_m = float(np.linalg.norm(look.bodies.cam_t[look.row]))
    state = "" if look.state == State.TRACKED else f"{look.state.name}  "
    text = f"{look.name}  {state}{distance_m:.1f} m"
    above = head - np.array([0, _LABEL_ABOVE_M, 0])
    color = _readable(person_color(int(look.bodies.ids[look.row])))
    return rr.Points3D([above], labels=[text], radii=_LABEL_RADIUS_M, colors=color, show_labels=True)


def _is_right(group: str, joint: str) -> bool:
    return joint.startswith("r_") and group != "trunk"  # r_head: the head's roll


def _rgb(color: Color, strength: float) -> tuple[int, int, int]:
    """0..255, of 0..1."""
    red, green, blue = (round(255 * strength * part) for part in color)
    return red, green, blue


def _readable(color: Color) -> tuple[int, int, int]:
    """RGB 0..255 of the hue of ``color``, as text on a light or dark ground."""
    linear = np.power(color, _GAMMA)
    luminance = float(linear @ _LUMINANCE)
    white = max(0.0, (_LABEL_LUMINANCE - luminance) / (1 - luminance))  # dark colours become paler, light ones darker
    linear = (1 - white) * linear * min(1.0, _LABEL_LUMINANCE / luminance) + white
    red, green, blue = np.power(linear, 1 / _GAMMA).tolist()
    return _rgb((red, green, blue), 1.0)


def _ellipsoids(centers: Floats, covariances: Floats, radius: float, color: tuple[int, int, int]) -> rr.Ellipsoids3D:
    """Those that hold LEVEL of the ground truth: ``centers`` (N, 3) m, ``covariances`` (N, 3, 3) m^2, NaN: unknown."""
    known = np.isfinite(covariances).all((1, 2)) & (np.trace(covariances, axis1=1, axis2=2) > 0)
    variances, axes = np.linalg.eigh(covariances[known].astype(np.float64))
    axes[..., 0] *= np.sign(np.linalg.det(axes))[:, None]  # a rotation, no reflection
    return rr.Ellipsoids3D(
        centers=centers[known],
        half_sizes=radius * np.sqrt(np.maximum(variances, 0)),
        quaternions=rotmat_to_quat(axes),
        colors=color,
        line_radii=-0.6,
        fill_mode="majorwireframe",
    )
