# SPDX-License-Identifier: Apache-2.0
"""Snapshots -> a scene in Rerun: camera with its image, floor, people, joint angles, states and events over time."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import rerun as rr

from hmr_ros.core.arrays import Floats, Image
from hmr_ros.core.body.body_model import BodyModel
from hmr_ros.core.body.finger_skin import with_fingers
from hmr_ros.core.body.posing import with_meshes
from hmr_ros.core.people import Bodies, Camera
from hmr_ros.core.ros4hri.motion import HumanFollower
from hmr_ros.perception.overlay import draw_bodies
from hmr_ros.results.floor import Floor
from hmr_ros.results.snapshot import Snapshot
from hmr_ros.viewing.layout import CAMERA, EVENTS, GROUND, IMAGE, TIME, WORLD
from hmr_ros.viewing.people import (
    GONE,
    JOINT_UNCERTAINTY,
    PEOPLE,
    STATES,
    Look,
    Surface,
    clear_angles,
    log_angles,
    log_person,
    log_shape,
)

_JPEG_QUALITY = 85
_FRUSTUM_M = 0.6
_GRID_AHEAD_M, _GRID_ASIDE_M, _GRID_MOST_M = 15, 8, 60
_GRID_COLOR = (130, 140, 150)


class Scene:
    """Shows snapshots in ``recording``, in the order in which they come.

    The world is that of ``floor``: x forward, y to the left, z up. Meshes have ``mesh_faces`` triangles, 4 or more.
    """

    def __init__(self, recording: rr.RecordingStream, body_model: BodyModel, mesh_faces: int) -> None:
        self._recording = recording
        self._body_model = body_model
        self._surface = Surface.of(body_model, mesh_faces)
        self._follower = HumanFollower()
        self._known: set[str] = set()
        self._present: dict[str, int] = {}
        self._states: dict[str, str] = {}
        self._camera: Camera | None = None
        recording.log(WORLD, rr.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)

    def stand_on(self, floor: Floor, positions: Floats) -> None:
        """Show ``floor``, at least as far as the people's ``positions`` (N, 3) m on it, and the camera above it."""
        to_floor = floor.floor_from_optical
        pose = rr.Transform3D(translation=to_floor.translation, mat3x3=to_floor.rotation)
        self._recording.log(CAMERA, pose, static=True)
        self._recording.log(GROUND, rr.LineStrips3D(_grid(positions), colors=_GRID_COLOR, radii=0.004), static=True)

    def show(self, snapshot: Snapshot) -> None:
        """Show one image and its people, at its time."""
        self._set_time(snapshot)
        rows = np.flatnonzero(snapshot.bodies.valid & (snapshot.bodies.states != 0))
        bodies = with_fingers(with_meshes(snapshot.bodies.take(rows), self._body_model), self._body_model)
        names = [snapshot.names[row] for row in rows]
        self._show_camera(snapshot, bodies)
        self._forget(set(self._present) - set(names))
        for row, name in enumerate(names):
            self._show_person(Look(bodies, row, name), snapshot)
        self._show_angles(bodies, names, snapshot)

    def _set_time(self, snapshot: Snapshot) -> None:
        self._recording.set_time("image", sequence=snapshot.number)
        if np.isfinite(snapshot.stamp_s):
            self._recording.set_time(TIME, duration=snapshot.stamp_s)
        if snapshot.header_ns is not None:
            self._recording.set_time("stamp", timestamp=np.datetime64(snapshot.header_ns, "ns"))

    def _show_camera(self, snapshot: Snapshot, bodies: Bodies) -> None:
        camera = snapshot.camera
        if camera is not None and not _is_same(camera, self._camera):
            self._camera = camera
            pinhole = rr.Pinhole(
                image_from_camera=camera.K,
                resolution=[camera.width, camera.height],
                camera_xyz=rr.ViewCoordinates.RDF,
                image_plane_distance=_FRUSTUM_M,
            )
            self._recording.log(IMAGE, pinhole)
        if snapshot.image is not None:
            overlay = draw_bodies(snapshot.image, bodies, camera, self._body_model.faces)
            self._recording.log(IMAGE, rr.EncodedImage(contents=_jpeg(overlay), media_type="image/jpeg"))

    def _show_person(self, look: Look, snapshot: Snapshot) -> None:
        track_id = int(look.bodies.ids[look.row])
        if look.name not in self._known:
            self._known.add(look.name)
            log_shape(self._recording, look.name, track_id, self._surface)
        if look.name not in self._present:
            self._say(f"{look.name} appears")
        self._present[look.name] = track_id
        if self._states.get(look.name) != look.state.name:
            self._set_state(look.name, look.state.name)
        log_person(self._recording, look, self._surface, snapshot.radii)

    def _show_angles(self, bodies: Bodies, names: list[str], snapshot: Snapshot) -> None:
        # Of photos there is no time; they are a person each, as angles are compared with those before.
        stamp_s = snapshot.stamp_s if np.isfinite(snapshot.stamp_s) else float(snapshot.number)
        humans = self._follower(bodies, stamp_s)
        for name, angles in zip(names, humans.angles, strict=True):
            log_angles(self._recording, name, angles)

    def _forget(self, names: set[str]) -> None:
        """Remove people who are no longer there."""
        for name in sorted(names):
            for place in (PEOPLE, JOINT_UNCERTAINTY):
                self._recording.log(f"{place}/{name}", rr.Clear(recursive=True))
            clear_angles(self._recording, name)
            self._set_state(name, None)
            self._say(f"{name} is gone")
            self._follower.forget([self._present.pop(name)])

    def _set_state(self, name: str, state: str | None) -> None:
        if state is None:
            self._states.pop(name, None)
            self._recording.log(f"{STATES}/{name}", rr.StateChange(state=GONE))
            return
        self._states[name] = state
        self._recording.log(f"{STATES}/{name}", rr.StateChange(state=state))

    def _say(self, text: str) -> None:
        self._recording.log(EVENTS, rr.TextLog(text, level=rr.TextLogLevel.INFO))


def _is_same(camera: Camera, before: Camera | None) -> bool:
    """Whether the pinholes of both are alike."""
    return (
        before is not None
        and (camera.width, camera.height) == (before.width, before.height)
        and np.array_equal(camera.K, before.K)
    )


def _jpeg(image: Image) -> bytes:
    """``image`` (H, W, 3) uint8 RGB."""
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return encoded.tobytes()


def _grid(positions: Floats) -> Sequence[Floats]:
    """Lines one metre apart on z = 0, as far as people are at ``positions`` (N, 3) m: (2, 3) m each."""
    reach = np.minimum(np.ceil(np.abs(positions).max(0)) + 1, _GRID_MOST_M)
    ahead, aside = max(_GRID_AHEAD_M, int(reach[0])), max(_GRID_ASIDE_M, int(reach[1]))
    x, y = np.arange(0, ahead + 1), np.arange(-aside, aside + 1)
    across = [np.array([[k, y[0], 0], [k, y[-1], 0]], np.float64) for k in x]
    return across + [np.array([[x[0], k, 0], [x[-1], k, 0]], np.float64) for k in y]
