# SPDX-License-Identifier: Apache-2.0
"""The last poses of each track, as they were estimated and as they were published, for windows of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hmr_ros.core.arrays import Floats, Ints
from hmr_ros.core.temporal.pose_window import OLDEST_S, WINDOW, PoseWindows, chosen_images, pose_windows


@dataclass(frozen=True, eq=False)
class TrackPose:
    """A person in one image, ``stamp_s``: ``rotations`` (24, 3, 3), the root's to optical; ``joint_error`` (24,) m.

    ``joints`` (24, 3) m: as ``pose_window.joints_in_body`` gives them. ``published`` (24, 3, 3): the rotations that
    were published, those of the image itself as long as there are no others.

    ``optical_from_fixed`` (3, 3): how the camera was turned against a frame that does not; None: unknown.
    """

    stamp_s: float
    rotations: Floats
    joints: Floats
    joint_error: Floats
    optical_from_fixed: Floats | None
    published: Floats

    @staticmethod
    def of_image(
        stamp_s: float, rotations: Floats, joints: Floats, joint_error: Floats, optical_from_fixed: Floats | None
    ) -> TrackPose:
        """As estimated of one image, which is also what is published so far."""
        return TrackPose(stamp_s, rotations, joints, joint_error, optical_from_fixed, rotations)


class PoseHistory:
    """Poses of the last OLDEST_S by track id."""

    def __init__(self) -> None:
        self._tracks: dict[int, list[TrackPose]] = {}

    def reset(self) -> None:
        """Forget all tracks."""
        self._tracks = {}

    def forget(self, ids: Iterable[int]) -> None:
        """Forget the tracks ``ids``."""
        for track_id in ids:
            self._tracks.pop(track_id, None)

    def add(self, track_id: int, pose: TrackPose) -> int:
        """Remember a pose, and forget those too old for it and any that are not older. How many are known now."""
        earlier = self._tracks.get(track_id, [])
        poses = [p for p in earlier if 0 < pose.stamp_s - p.stamp_s <= OLDEST_S]
        self._tracks[track_id] = [*poses, pose]
        return len(poses) + 1

    def publish(self, ids: Ints, rotations: Floats) -> None:
        """Remember what was published of the newest poses of ``ids``: ``rotations`` (N, 24, 3, 3), roots to optical."""
        for track_id, published in zip(ids.tolist(), rotations, strict=True):
            track = self._tracks[track_id]
            track[-1] = replace(track[-1], published=published)

    def windows(self, ids: Ints, cam_t: Floats) -> tuple[PoseWindows, Floats]:
        """Windows of tracks ``ids`` (N,), one or more, that are at ``cam_t`` (N, 3) m in their newest image.

        With what was published of their older images (N, 7, 24, 3, 3), as ``PoseWindows.inputs`` takes it.
        """
        tracks = [self._tracks[track_id] for track_id in ids.tolist()]
        number, filled = chosen_images(_ages(tracks))
        chosen = [track[k] for track, row in zip(tracks, number.tolist(), strict=True) for k in row]
        newest = [track[-1] for track in tracks for _ in range(WINDOW)]
        age = [now.stamp_s - pose.stamp_s for now, pose in zip(newest, chosen, strict=True)]
        windows = pose_windows(
            rotations=_windowed([pose.rotations for pose in chosen]),
            joints=_windowed([pose.joints for pose in chosen]),
            joint_error=_windowed([pose.joint_error for pose in chosen]),
            age=np.reshape(age, (-1, WINDOW)),
            filled=filled,
            now_from_then=_turned(newest, chosen),
            cam_t=cam_t,
        )
        return windows, _windowed([pose.published for pose in chosen])[:, 1:]


def _windowed(rows: Sequence[Floats]) -> Floats:
    """8 N arrays (K, ...) -> (N, 8, K, ...)."""
    return np.concatenate(rows).reshape(-1, WINDOW, *rows[0].shape)


def _ages(tracks: Sequence[Sequence[TrackPose]]) -> Floats:
    """(N, H) s before the newest pose of each track; NaN where a track has fewer."""
    ages = np.full((len(tracks), max(map(len, tracks))), np.nan)
    for row, track in zip(ages, tracks, strict=True):
        row[: len(track)] = [track[-1].stamp_s - pose.stamp_s for pose in track]
    return ages


def _turned(newest: Sequence[TrackPose], poses: Sequence[TrackPose]) -> Floats:
    """(N, 8, 3, 3) from the optical frame of each of 8 N ``poses`` to that of the newest; identities where unknown."""
    turned = np.tile(np.eye(3), (len(poses), 1, 1))
    for row, (now, pose) in enumerate(zip(newest, poses, strict=True)):
        if now.optical_from_fixed is not None and pose.optical_from_fixed is not None:
            turned[row] = now.optical_from_fixed @ pose.optical_from_fixed.T
    return turned.reshape(-1, WINDOW, 3, 3)
