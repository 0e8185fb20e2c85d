# SPDX-License-Identifier: Apache-2.0
"""Coverage of the joints labelled in photos by the confidence regions of calibrated bodies.

A region is an ellipsoid in space; its projection into the image has at least the same coverage, as depth is not tested.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hmr_ros.core.arrays import Floats
from hmr_ros.core.metrics import bootstrap_mean
from hmr_ros.core.people import Bodies, Camera
from hmr_ros.core.skeleton import COCO17, SMPL
from hmr_ros.core.uncertainty import LEVELS, Calibration
from hmr_ros.evaluation.photos.scores import Outcome

_COMMON = [joint for joint in COCO17.joints if joint in SMPL.joints]
_IN_COCO = np.array([COCO17.index(joint) for joint in _COMMON])
_IN_SMPL = np.array([SMPL.index(joint) for joint in _COMMON])


def image_distances(bodies: Bodies, errors: Floats, camera: Camera) -> Floats:
    """Pixels ``errors`` (N, 17, 2) between label and body -> (N, 17) Mahalanobis distances in the image.

    By the sum of the covariances of root and joint, as if independent; NaN where it is unknown, as for joints that SMPL
    does not have. ``camera`` has no distortion.
    """
    x, y, z = np.moveaxis(bodies.joints[:, _IN_SMPL].astype(np.float64), -1, 0)
    zero = np.zeros_like(z)
    focal_x, focal_y = camera.K[0, 0], camera.K[1, 1]
    rows = [[focal_x / z, zero, -focal_x * x / z**2], [zero, focal_y / z, -focal_y * y / z**2]]
    pixel_from_m = np.stack([np.stack(row, -1) for row in rows], -2)
    covariance = bodies.joint_covariance[:, _IN_SMPL] + bodies.root_covariance[:, None]
    seen = pixel_from_m @ covariance @ pixel_from_m.swapaxes(-1, -2)
    error = errors[:, _IN_COCO, :, None]
    distances = np.full(errors.shape[:2], np.nan)
    distances[:, _IN_COCO] = np.sqrt((error * np.linalg.solve(seen, error)).sum((-2, -1)))
    return distances


def projected_coverage(
    outcome: Outcome, calibrations: Mapping[str, Calibration | None], methods: Sequence[str]
) -> list[str]:
    """A line of text per calibrated method: percent of the labelled joints in the projections of its regions."""
    levels = ", ".join(f"{100 * level:.0f}" for level in LEVELS)
    lines = []
    for name, distances in zip(methods, outcome.distances, strict=True):
        calibration, chosen = calibrations.get(name), outcome.labelled & np.isfinite(distances)
        if calibration and chosen.any():
            person = np.nonzero(chosen)[0]
            held = [bootstrap_mean(100.0 * (distances[chosen] <= r), person) for r in calibration.joint_radii]
            lines.append(
                f"{name}: regions of {levels} % hold {', '.join(map(str, held))} % of {len(person)} labelled joints"
            )
    return lines
