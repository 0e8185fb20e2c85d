# SPDX-License-Identifier: Apache-2.0
"""Where Rerun has the parts of a scene, and which panels show them."""

from __future__ import annotations

import rerun.blueprint as rrb

from hmr_ros.core.arrays import Floats
from hmr_ros.viewing.people import ANGLE_GROUPS, ANGLES, JOINT_UNCERTAINTY, STATES

WORLD, GROUND, CAMERA, IMAGE, EVENTS = "world", "world/ground", "world/camera", "world/camera/image", "events"
TIME = "time"
"""The time line that is shown first: s since the beginning of the source."""


def layout(*, is_live: bool, has_time: bool, look_at: Floats) -> rrb.Blueprint:
    """The panels: the scene, the image, joint angles, states and events.

    ``is_live``: the time line follows what comes. ``has_time``: False of photos. ``look_at`` (3,) m in the world.
    """
    eye = rrb.EyeControls3D(position=_beside(look_at), look_target=look_at.tolist(), eye_up=[0, 0, 1])
    hidden = {JOINT_UNCERTAINTY: rrb.EntityBehavior(visible=False)}
    space = rrb.Spatial3DView(origin=WORLD, name="People", eye_controls=eye, line_grid=False, overrides=hidden)
    image = rrb.Spatial2DView(origin=IMAGE, name="Camera", contents=[IMAGE])
    angles = rrb.Tabs(
        *[rrb.TimeSeriesView(origin=f"{ANGLES}/{group}", name=f"{group}, degrees") for group in ANGLE_GROUPS]
    )
    tracks = rrb.Tabs(
        rrb.StateTimelineView(origin=STATES, name="States"), rrb.TextLogView(origin=EVENTS, name="Events")
    )
    side = rrb.Vertical(image, angles, tracks, row_shares=[4, 3, 2])
    time = rrb.TimePanel(
        expanded=False, timeline=TIME if has_time else "image", play_state="following" if is_live else "playing"
    )
    return rrb.Blueprint(
        rrb.Horizontal(space, side, column_shares=[3, 2]),
        time,
        rrb.BlueprintPanel(expanded=False),
        rrb.SelectionPanel(expanded=False),
        auto_views=False,
        auto_layout=False,
    )


def _beside(target: Floats) -> list[float]:
    """(3,) m: the eye, from between camera and people, to the left and above, nearer to people who are near."""
    ahead, left, _ = target.tolist()
    return [0.45 * ahead - 1.5, left + 0.3 * ahead + 1.0, 1.5 + 0.15 * ahead]
