# SPDX-License-Identifier: Apache-2.0
"""Where Rerun has the parts of a scene, and which panels show them."""

from __future__ import annotations

import numpy as np
import rerun as rr
import rerun.blueprint as rrb

from hmr_ros.core.arrays import Floats
from hmr_ros.viewing.people import ANGLE_GROUPS, ANGLES, JOINT_UNCERTAINTY, STATES

WORLD, GROUND, CAMERA, IMAGE, EVENTS = "world", "world/ground", "world/camera", "world/camera/image", "events"
TIME = "time"
"""The time line that is shown first: s since the beginning of the source."""

_CURVES_S = 3.0
"""Angles are shown so long before and after the time cursor: those of a whole recording would be a tangle."""

_TO_EYE = np.array([-0.8, 0.42, 0.42]) / np.linalg.norm([-0.8, 0.42, 0.42])
"""Unit vector in the world from the people to the eye: behind the camera, to the left, above."""

_VIEW_TAN = 0.5
"""Tangent of half the angle that people fill; Rerun's view has 0.52 vertically."""

_BODY_M, _NEAREST_M = 1.2, 3.0


def layout(*, is_live: bool, has_time: bool, positions: Floats) -> rrb.Blueprint:
    """The panels: the scene, the image, joint angles, states and events.

    ``is_live``: the time line follows what comes. ``has_time``: False of photos. ``positions`` (N, 3) m in the world,
    N > 0, of the people whom the eye sees at first.
    """
    target, position = _view_of(positions)
    eye = rrb.EyeControls3D(position=position.tolist(), look_target=target.tolist(), eye_up=[0, 0, 1])
    hidden = {JOINT_UNCERTAINTY: rrb.EntityBehavior(visible=False)}
    space = rrb.Spatial3DView(origin=WORLD, name="People", eye_controls=eye, line_grid=False, overrides=hidden)
    image = rrb.Spatial2DView(origin=IMAGE, name="Camera", contents=[IMAGE])
    angles = rrb.Tabs(*[_curves(group, is_live, has_time) for group in ANGLE_GROUPS])
    tracks = rrb.Tabs(
        rrb.StateTimelineView(origin=STATES, name="States"), rrb.TextLogView(origin=EVENTS, name="Events")
    )
    side = rrb.Vertical(image, angles, tracks, row_shares=[4, 3, 3])
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


def _curves(group: str, is_live: bool, has_time: bool) -> rrb.TimeSeriesView:
    """Angles around the time cursor. No legend: with several people it would hide half of them; pointing names one."""
    around = rr.TimeRange(
        start=rr.TimeRangeBoundary.cursor_relative(seconds=-2 * _CURVES_S if is_live else -_CURVES_S),
        end=rr.TimeRangeBoundary.cursor_relative(seconds=0.0 if is_live else _CURVES_S),
    )
    return rrb.TimeSeriesView(
        origin=f"{ANGLES}/{group}",
        name=f"{group}, degrees",
        plot_legend=rrb.PlotLegend(visible=False),
        axis_x=rrb.archetypes.TimeAxis(view_range=around) if has_time else None,
    )


def _view_of(positions: Floats) -> tuple[Floats, Floats]:
    """Target and position (3,) m of the eye that sees 90 % of ``positions`` (N, 3) m."""
    low, high = np.percentile(positions, [10, 90], axis=0)
    target: Floats = (low + high) / 2
    reach = positions - target
    towards = reach @ _TO_EYE
    aside = np.linalg.norm(reach - towards[:, None] * _TO_EYE, axis=1) + _BODY_M
    distance = max(_NEAREST_M, float(np.percentile(towards + aside / _VIEW_TAN, 90)))
    return target, target + distance * _TO_EYE
