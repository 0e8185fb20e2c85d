# SPDX-License-Identifier: Apache-2.0
"""The TF trees of all people in one serialised message: 27 frames per person.

As Python objects eight people are 216 TransformStamped, which take several milliseconds. Between images only numbers
change, so the message is laid out once per group of people and all numbers are written in one assignment, as all frames
have the same fields. Field by field, as in template.py, takes ten times as long.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hmr_ros.core.arrays import Floats, Int64s
from hmr_ros.core.geometry.rotation import rotmat_to_quat
from hmr_ros.core.ros4hri.hands import HAND_JOINTS
from hmr_ros.core.ros4hri.joints import HUMAN_JOINTS
from hmr_ros.core.ros4hri.motion import Humans
from hmr_ros.ros.wire.cdr import CdrWriter, Stamp

_STAMP_BYTES = 8
_TRANSFORM_BYTES = 7 * 8
"""Translation xyz and rotation xyzw."""


@dataclass(frozen=True)
class _Edge:
    """A child frame and its parent."""

    parent: str
    child: str


_Edges = Callable[[str, str], list[_Edge]]
"""Frame of the camera, what follows "body_" and "<link>_" in the frames of a person -> the edges of this person."""


@dataclass(frozen=True, eq=False)
class _Layout:
    """A serialised TFMessage, and the offsets of the bytes of its stamps (N, 8) and transforms (N, 56)."""

    data: NDArray[np.uint8]
    stamps: Int64s
    transforms: Int64s


class TransformWriter:
    """Serialises tf2_msgs/TFMessage; keeps the layout while the people stay the same."""

    def __init__(self) -> None:
        self._key: tuple[object, ...] = ()
        self._layout = _laid_out(())

    def bodies(self, stamp: Stamp, frame_id: str, humans: Humans, suffixes: Sequence[str]) -> bytes:
        """The frames ``body_<suffix>`` of all ``humans`` in the camera's frame ``frame_id``."""
        return self._write(stamp, frame_id, suffixes, _root_edges, _root_transforms(humans))

    def trees(self, stamp: Stamp, frame_id: str, humans: Humans, suffixes: Sequence[str]) -> bytes:
        """The frames ``body_<suffix>`` and, below them, ``<link>_<suffix>`` of every link of the URDF.

        Those of hands only where they are known.
        """
        links = np.concatenate([humans.link_origins, humans.link_rotations], 2)
        transforms = np.concatenate([_root_transforms(humans)[:, None], links], 1)
        if humans.hands is None:
            return self._write(stamp, frame_id, suffixes, _tree_edges, transforms)
        known = [tuple(np.flatnonzero(row).tolist()) for row in humans.hands.known]
        hands = np.concatenate([humans.hands.origins, humans.hands.rotations], 3)
        people = [np.concatenate([transforms[k], hands[k, sides].reshape(-1, 7)]) for k, sides in enumerate(known)]
        joined = np.concatenate([np.zeros((0, 7)), *people])
        return self._write(stamp, frame_id, suffixes, _tree_edges, joined, known)

    def _write(
        self,
        stamp: Stamp,
        frame_id: str,
        suffixes: Sequence[str],
        edges_of: _Edges,
        transforms: Floats,
        hands: Sequence[tuple[int, ...]] = (),
    ) -> bytes:
        """The message with ``edges_of`` each person in turn; ``transforms`` (..., 7) are xyz m and quaternion xyzw.

        ``hands``: which hands of each person follow, 0 left, 1 right; nothing: of no person.
        """
        if (key := (edges_of, frame_id, *suffixes, *hands)) != self._key:
            sides = hands or [()] * len(suffixes)
            people = [edges_of(frame_id, p) + _hand_edges(p, known) for p, known in zip(suffixes, sides, strict=True)]
            self._key, self._layout = key, _laid_out(tuple(edge for edges in people for edge in edges))
        layout = self._layout
        layout.data[layout.stamps] = np.array([stamp.sec, stamp.nanosec], "<u4").view(np.uint8)
        layout.data[layout.transforms] = np.ascontiguousarray(transforms.reshape(-1, 7), "<f8").view(np.uint8)
        return layout.data.tobytes()


def _root_edges(frame_id: str, person: str) -> list[_Edge]:
    return [_Edge(frame_id, f"body_{person}")]


def _tree_edges(frame_id: str, person: str) -> list[_Edge]:
    return [
        *_root_edges(frame_id, person),
        *(_Edge(f"{joint.parent}_{person}", f"{joint.child}_{person}") for joint in HUMAN_JOINTS),
    ]


def _hand_edges(person: str, sides: tuple[int, ...]) -> list[_Edge]:
    """The edges below the wrists of the hands ``sides``, 0 left, 1 right."""
    return [
        _Edge(f"{'lr'[side]}_{joint.parent}_{person}", f"{'lr'[side]}_{joint.child}_{person}")
        for side in sides
        for joint in HAND_JOINTS
    ]


def _root_transforms(humans: Humans) -> Floats:
    """(P, 7): positions xyz m and quaternions xyzw of the body frames."""
    return np.concatenate([humans.places, rotmat_to_quat(humans.orientations)], 1)


def _laid_out(edges: tuple[_Edge, ...]) -> _Layout:
    """The layout of a message with ``edges`` in their order."""
    writer = CdrWriter().pack("I", len(edges))
    stamps, transforms = [], []
    for edge in edges:
        writer.stamp(Stamp(0, 0))
        stamps.append(writer.size - _STAMP_BYTES)
        writer.string(edge.parent).string(edge.child).pack("d", *(0.0,) * 7)
        transforms.append(writer.size - _TRANSFORM_BYTES)
    return _Layout(
        np.frombuffer(bytearray(writer.finish()), np.uint8),
        np.array(stamps, np.int64)[:, None] + np.arange(_STAMP_BYTES),
        np.array(transforms, np.int64)[:, None] + np.arange(_TRANSFORM_BYTES),
    )
